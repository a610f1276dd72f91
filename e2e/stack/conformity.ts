import { PHASES } from '../../operator/api/phase-migration.ts';
import { REASONS } from '../../operator/api/reasons.ts';
import type { Condition } from '../../operator/api/schema-parts.ts';
import type { Migration, Run } from './objects.ts';

const ENDS = ['Succeeded', 'Failed', 'RolledBack', 'NeedsHuman'];
const TYPES = ['Ready', 'Succeeded', 'Reconciling', 'Stalled'];

/**
 * What in one state of a PhaseMigration or run contradicts kstatus, the Kubernetes API conventions or the project's own
 * contract, compared with the state before where that matters; each as a sentence. Empty: it conforms.
 */
export function problemsOf(object: Migration | Run, before?: Migration | Run): string[] {
  const { status, metadata } = object;
  if (!status) return [];
  // -1 is the schema's own default: not looked at yet.
  const { observedGeneration = -1, conditions = [], phase } = status;
  const of = (type: string) => conditions.find((condition) => condition.type === type);
  const problems: string[] = [];
  const must = (holds: boolean, sentence: string) => void (holds || problems.push(sentence));

  must(
    observedGeneration <= (metadata.generation ?? 0),
    `observedGeneration ${observedGeneration} is ahead of generation ${metadata.generation}`,
  );
  must(observedGeneration >= (before?.status?.observedGeneration ?? -1), 'observedGeneration went back');
  if (conditions.length === 0 && phase === undefined) return problems;
  must(phase !== undefined && PHASES.includes(phase), `phase ${phase} is not documented`);
  must(of('Ready') !== undefined, 'there is no condition Ready');
  for (const condition of conditions) problems.push(...problemsOfCondition(condition, observedGeneration));
  problems.push(...contradictions(conditions, phase ?? ''));
  const sentences = new Set(conditions.map(({ reason, message }) => `${reason}: ${message}`));
  must(sentences.size <= 1, `the conditions say different things: ${[...sentences].join(' | ')}`);
  problems.push(...problemsOfTransitions(conditions, before?.status?.conditions ?? []));
  return problems;
}

function contradictions(conditions: Condition[], phase: string): string[] {
  const is = (type: string, status: string) =>
    conditions.some((condition) => condition.type === type && condition.status === status);
  const rules: [boolean, string][] = [
    [is('Reconciling', 'True') && is('Stalled', 'True'), 'Reconciling and Stalled are both there'],
    [is('Ready', 'True') && is('Reconciling', 'True'), 'Ready is True although Reconciling is'],
    [is('Ready', 'True') && is('Stalled', 'True'), 'Ready is True although Stalled is'],
    [ENDS.includes(phase) && is('Reconciling', 'True'), `Reconciling in phase ${phase}`],
  ];
  return rules.filter(([broken]) => broken).map(([, sentence]) => sentence);
}

function problemsOfCondition(condition: Condition, observedGeneration: number): string[] {
  const { type, status, reason, message } = condition;
  const problems: string[] = [];
  if (!TYPES.includes(type)) problems.push(`there is a condition ${type}, which is not documented`);
  if ((type === 'Reconciling' || type === 'Stalled') && status !== 'True')
    problems.push(`${type} is there although it is ${status}`);
  if (condition.observedGeneration !== observedGeneration)
    problems.push(`${type} speaks of generation ${condition.observedGeneration}, the status of ${observedGeneration}`);
  if (!(reason in REASONS)) problems.push(`${type} has the reason ${reason}, which is not documented`);
  if (message === '' || /undefined|\[object|\bat (?:[^(]* \()?\S*\/\S+:\d+:\d+/.test(message))
    problems.push(`${type} has the message "${message}", which is no sentence for people`);
  if (!/[.!?…)]$/.test(message)) problems.push(`the message of ${type} does not end like a sentence: "${message}"`);
  return problems;
}

/** lastTransitionTime changes with the status, and only then. */
function problemsOfTransitions(conditions: Condition[], before: Condition[]): string[] {
  return conditions.flatMap(({ type, status, lastTransitionTime }) => {
    const old = before.find((condition) => condition.type === type);
    if (!old || old.status !== status || old.lastTransitionTime === lastTransitionTime) return [];
    return [`lastTransitionTime of ${type} changed although it stayed ${status}`];
  });
}

/** What is missing in an object whose run has ended: the status must speak of the spec that is there. */
export function problemsAtEnd(object: Migration | Run): string[] {
  const { observedGeneration } = object.status ?? {};
  return observedGeneration === object.metadata.generation
    ? []
    : [`at the end observedGeneration is ${observedGeneration} and generation ${object.metadata.generation}`];
}
