import type { Draft } from './draft.ts';
import { moment } from './time.ts';
import { isDrained, startsBehindFence, title } from './workloads.ts';

/**
 * Records whether the fence may be lifted as far as pods are concerned. That a pod was told to stop is enough to raise
 * it, because no session is left then; but one that takes its time, or whose node is lost, would open another as soon as
 * it is lifted, and work with the one version on the other version's schema.
 */
export function recordStopped(draft: Draft): void {
  const ending = podsInTheWay(draft);
  draft.record({
    workloadsStopped: ending.length === 0,
    waitingFor: draft.runner?.waitingFor && wordsFor(draft, ending),
  });
}

/** As long as controllers usually take to tell pods to stop; before it a word would only cost a write in the outage. */
const SLOW_MILLISECONDS = 5000;

/** Says which pods a scale-down waits for: one that a selector finds and no controller stops is waited for in vain. */
export function recordStanding(draft: Draft, step: 'ScaleDown' | 'RollbackScaleDown'): void {
  const left = (moment(draft.step(step)?.startTime) ?? draft.seen.now) + SLOW_MILLISECONDS - draft.seen.now;
  if (left > 0) {
    draft.lookAgain(left);
    return;
  }
  const slow = draft.seen.workloads.filter((workload) => !isDrained(workload));
  const pods = slow.flatMap((workload) =>
    workload.pods
      .filter(({ ended, terminating }) => !ended && !terminating)
      .map(({ name }) => ({ name, workload: title(workload) })),
  );
  const told = slow.map(title).slice(0, MOST_NAMED).join(', ');
  const { namespace } = draft.seen.run.metadata;
  const waitingFor =
    pods.length > 0
      ? `Not told to stop by its controller: ${inWords(pods)}; if it is not its controller’s (another pod with its labels): kubectl -n ${namespace} delete pod ${pods[0]?.name}`
      : `The controller of ${told} has not seen yet that it is scaled to 0`;
  draft.record({ waitingFor });
}

/** What is brought back has pods again. */
export function recordStarting(draft: Draft): void {
  draft.record({ workloadsStopped: undefined, waitingFor: undefined });
}

/** As people write them: `pod backend-1 of Deployment backend`. */
interface PodInTheWay {
  name: string;
  workload: string;
}

function podsInTheWay(draft: Draft): PodInTheWay[] {
  if (isForOldVersion(draft)) return [];
  return draft.seen.workloads.flatMap((workload) => {
    // On the way forward the new version may stand behind the fence already.
    const mayStand = !draft.recorded.failure && startsBehindFence(draft, workload);
    return workload.pods
      .filter(({ ended, terminating }) => !ended && (terminating || !mayStand))
      .map(({ name }) => ({ name, workload: title(workload) }));
  });
}

/** Undone before anything of the new version was started: whoever is still ending is of the version that comes back. */
function isForOldVersion(draft: Draft): boolean {
  const isAccepted = draft.seen.run.spec.resolution?.action === 'Accept';
  return draft.recorded.failure !== undefined && !isAccepted && draft.step('ScaleUp') === undefined;
}

/** With names as long as Kubernetes allows the words still fit into the status, which would be refused otherwise. */
const MOST_NAMED = 3;

function wordsFor(draft: Draft, pods: PodInTheWay[]): string | undefined {
  if (pods.length === 0) return undefined;
  const { namespace } = draft.seen.run.metadata;
  const named = pods.slice(0, MOST_NAMED);
  const force = `kubectl -n ${namespace} delete pod ${named.map(({ name }) => name).join(' ')} --force --grace-period=0`;
  return `Still ending: ${inWords(pods)}; if a node is lost for good and its pods with it: ${force}`;
}

function inWords(pods: PodInTheWay[]): string {
  const named = pods.slice(0, MOST_NAMED);
  const more = pods.length > named.length ? ` and ${pods.length - named.length} more` : '';
  return named.map(({ name, workload }) => `pod ${name} of ${workload}`).join(', ') + more;
}
