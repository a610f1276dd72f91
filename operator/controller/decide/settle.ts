import type { Draft } from './draft.ts';
import { keepRunnerAlive, RUNNER_START_LIMIT } from './keep-runner-alive.ts';

/**
 * A run with an outcome: the runner cleans up (restore point, lock) and ends, verification Jobs go, the finalizer goes.
 * After NeedsHuman nothing is cleaned up: the fence, the lock and the restore point are what keeps the data safe.
 */
export function settle(draft: Draft): 'Stop' | undefined {
  const { outcome } = draft.recorded;
  if (outcome === undefined) return undefined;
  if (outcome === 'NeedsHuman') return 'Stop';
  draft.aim('Finished');
  for (const job of draft.seen.verificationJobs) if (!job.deleting) draft.act({ kind: 'DeleteJob', name: job.name });
  if (runnerHasFinished(draft)) {
    if (draft.seen.run.metadata.finalizers?.length) draft.setFinalizer('Remove');
  } else {
    keepRunnerAlive(draft);
  }
  return 'Stop';
}

function runnerHasFinished(draft: Draft): boolean {
  if (draft.runner?.reachedGoal === 'Finished') return true;
  if (draft.runner === undefined) {
    // It never reported, so it never touched the database: its Job (an image that cannot be pulled, say) can go.
    for (const job of draft.seen.runnerJobs) if (!job.deleting) draft.act({ kind: 'DeleteJob', name: job.name });
    return draft.seen.runnerJobs.length === 0;
  }
  return gaveUp(draft);
}

/** A runner that cannot clean up must not keep the run for ever: what it leaves is said, by name. */
function gaveUp(draft: Draft): boolean {
  const job = draft.seen.runnerJobs.find(({ epoch }) => epoch === draft.seen.run.spec.runnerEpoch);
  if (draft.seen.run.spec.runnerEpoch < RUNNER_START_LIMIT || job?.finished === undefined) return false;
  const { restorePoint } = draft.runner ?? {};
  const left = restorePoint?.database ?? restorePoint?.archive;
  if (draft.seen.run.metadata.finalizers?.length) {
    draft.notice({
      type: 'Warning',
      reason: 'RunnerFailed',
      message: `The run has ended, but its runner could not clean up after ${RUNNER_START_LIMIT} starts${left ? `: the restore point ${left} may still be there` : ''}. See the logs of Job ${job.name}.`,
    });
  }
  return true;
}
