import type { Draft } from './draft.ts';
import { isHeld } from './finalizer.ts';
import { hasDied, keepRunnerAlive, lastStart, RUNNER_START_LIMIT } from './keep-runner-alive.ts';
import { runnerMustGoOn } from './resolve.ts';
import { moment } from './time.ts';

/**
 * A run with an outcome: the runner cleans up (restore point, lock) and ends, verification Jobs go, the finalizer goes.
 * After NeedsHuman nothing is cleaned up: the fence, the lock and the restore point are what keeps the data safe.
 */
export function settle(draft: Draft): 'Stop' | undefined {
  const { outcome } = draft.recorded;
  if (outcome === undefined) return undefined;
  if (outcome === 'NeedsHuman') {
    // A new start takes the lock and waits: without one anybody could migrate what is kept for a person. Suspended: who
    // works on the database by hand ends the runner, whose sessions would be in the way.
    const { spec } = draft.seen.run;
    if (runnerMustGoOn(spec, draft.recorded) && !draft.seen.migration?.spec.suspend) keepRunnerAlive(draft);
    return 'Stop';
  }
  draft.aim('Finished');
  for (const job of draft.seen.verificationJobs) if (!job.deleting) draft.act({ kind: 'DeleteJob', name: job.name });
  if (runnerHasFinished(draft)) {
    if (isHeld(draft.seen.run)) draft.setFinalizer('Remove');
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

/** So long may cleaning up keep what is being deleted: the database may have gone for good, with its namespace. */
const CLEAN_UP_MILLISECONDS = 600_000;

/**
 * A runner that cannot clean up must not keep the run for ever: what it leaves is said, by name. The application runs
 * and the fence is lifted by now; what can be left is a restore point.
 */
function gaveUp(draft: Draft): boolean {
  const epoch = draft.seen.run.spec.runnerEpoch;
  const job = draft.seen.runnerJobs.find((other) => other.epoch === epoch);
  const isOver = job ? hasDied(job) : draft.runner?.epoch === epoch;
  const endedTooOften = epoch >= lastStart(draft) && isOver;
  if (!endedTooOften) {
    // Without a deletion nobody waits for it, and whoever has the lock meanwhile gives it back some time.
    if (!isBeingDeleted(draft)) return false;
    const left = (moment(draft.recorded.completionTime) ?? draft.seen.now) + CLEAN_UP_MILLISECONDS - draft.seen.now;
    if (left > 0) {
      draft.lookAgain(left);
      return false;
    }
  }
  if (isHeld(draft.seen.run)) tellWhatIsLeft(draft, endedTooOften);
  if (job && !job.deleting && !job.finished) draft.act({ kind: 'DeleteJob', name: job.name });
  return true;
}

function isBeingDeleted({ seen: { run, migration } }: Draft): boolean {
  return !migration || [run, migration].some(({ metadata }) => metadata.deletionTimestamp !== undefined);
}

function tellWhatIsLeft(draft: Draft, endedTooOften: boolean): void {
  const { restorePoint, rehearsal, waitingFor } = draft.runner ?? {};
  const scratch = rehearsal?.state === 'Restoring' ? rehearsal.database : undefined;
  const left = restorePoint?.database ?? restorePoint?.archive ?? scratch;
  const tried = endedTooOften ? `in ${RUNNER_START_LIMIT} starts` : `in ${CLEAN_UP_MILLISECONDS / 60_000} minutes`;
  const message = `The run has ended, but its runner could not clean up ${tried}${waitingFor ? ` (${waitingFor})` : ''}${left ? `: ${left === scratch ? 'the scratch database' : 'the restore point'} ${left} may still be there` : ''}.`;
  draft.notice({ type: 'Warning', reason: 'RunnerFailed', message });
}
