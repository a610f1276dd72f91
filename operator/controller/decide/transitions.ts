import type { PhaseMigrationStatus } from '../../api/phase-migration.ts';

/** An event to be written: reason and action have few values, the note is for people. */
export interface Transition {
  type: 'Normal' | 'Warning';
  reason: string;
  action: string;
  note: string;
}

/** What changed between two statuses that people should hear of: each step's end, each warning and each new state. */
export function transitions(before: PhaseMigrationStatus | undefined, after: PhaseMigrationStatus): Transition[] {
  return [...stepEnds(before, after), ...newWarnings(before, after), ...newState(before, after)];
}

function stepEnds(before: PhaseMigrationStatus | undefined, after: PhaseMigrationStatus): Transition[] {
  return (after.steps ?? []).flatMap((step): Transition[] => {
    const old = before?.runName === after.runName ? before?.steps?.find(({ name }) => name === step.name) : undefined;
    if (step.state === 'Running' || old?.state === step.state) return [];
    const failed = step.state === 'Failed';
    return [
      {
        type: failed ? 'Warning' : 'Normal',
        reason: `${step.name}${step.state}`,
        action: step.name,
        note: step.message ?? `Step ${step.name}: ${step.state.toLowerCase()}.`,
      },
    ];
  });
}

function newWarnings(before: PhaseMigrationStatus | undefined, after: PhaseMigrationStatus): Transition[] {
  const old = before?.runName === after.runName ? (before?.warnings ?? []) : [];
  return (after.warnings ?? [])
    .filter((warning) => !old.includes(warning))
    .map((note) => ({ type: 'Warning', reason: 'MigrationWarning', action: after.currentStep ?? 'Migrate', note }));
}

function newState(before: PhaseMigrationStatus | undefined, after: PhaseMigrationStatus): Transition[] {
  const ready = readyOf(after);
  if (!ready || sameState(before, after)) return [];
  const stalled = after.conditions?.some(({ type }) => type === 'Stalled') ?? false;
  const bad = stalled || ready.reason === 'RunnerNotStarted' || after.phase === 'RollingBack';
  const action = after.currentStep ?? 'Prepare';
  return [{ type: bad ? 'Warning' : 'Normal', reason: ready.reason, action, note: ready.message }];
}

function readyOf(status: PhaseMigrationStatus | undefined) {
  return status?.conditions?.find(({ type }) => type === 'Ready');
}

/** A step that goes on is not a new state; a new reason of the kubelet's is. */
function sameState(before: PhaseMigrationStatus | undefined, after: PhaseMigrationStatus): boolean {
  const [old, ready] = [readyOf(before), readyOf(after)];
  if (old?.reason !== ready?.reason || before?.phase !== after.phase || before?.runName !== after.runName) return false;
  return ready?.reason !== 'RunnerNotStarted' || old?.message === ready.message;
}
