import type { Outcome, RecordedWorkload } from '../../api/phase-migration-run.ts';
import type { Draft } from './draft.ts';
import { allReady } from './forward.ts';
import { recordEndOfOutage, resumeOutage } from './outage.ts';
import { failedRollbackStep, isAcceptedAsMigrated } from './resolve.ts';
import { recordStanding, recordStarting, recordStopped } from './stopped-workloads.ts';
import { moment } from './time.ts';
import { bringBack, holdDown, hopelessPod, newImages, notReadyYet, setImagesWhileDown } from './workloads.ts';

/** A recorded failure is undone: the database by the runner, then the workloads, exactly as they were recorded. */
export function undo(draft: Draft): 'Stop' | undefined {
  if (!draft.recorded.failure) return undefined;
  if (!draft.step('ScaleDown')) {
    draft.aim('Finished');
    draft.end('Failed');
  } else if (draft.goal === 'Prepared') bringOldBack(draft);
  else if (draft.goal === 'Migrated') takeDownAgain(draft);
  else if (draft.goal === 'RolledBack') rollBack(draft);
  // Finished without an outcome: a crash between two writes of one decision.
  else {
    recordEndOfOutage(draft);
    draft.end(outcome(draft));
  }
  return 'Stop';
}

/** If the application may be running on the new schema, it is taken down before anything is undone. */
function takeDownAgain(draft: Draft): void {
  recordStopped(draft);
  if (!draft.step('ScaleUp')) {
    holdDown(draft, true);
    draft.aim('RolledBack');
    return;
  }
  const scaleDown = draft.step('RollbackScaleDown');
  if (!scaleDown) {
    resumeOutage(draft);
    draft.startStep('RollbackScaleDown');
  }
  const drained = holdDown(draft, false);
  if (!drained) recordStanding(draft, 'RollbackScaleDown');
  if (!drained || !scaleDown) return;
  draft.aim('RolledBack');
  draft.succeedStep('RollbackScaleDown');
}

function rollBack(draft: Draft): void {
  const failed = failedRollbackStep(draft);
  if (failed) {
    // The fence stays up and the application down: what is in the database is not known to be right.
    holdDown(draft, true);
    draft.end('NeedsHuman');
    return;
  }
  if (draft.runner?.reachedGoal === 'RolledBack') {
    bringOldBack(draft);
    return;
  }
  if (draft.step('RollbackScaleDown')) draft.succeedStep('RollbackScaleDown');
  holdDown(draft, true);
  recordStopped(draft);
  setImagesWhileDown(draft, (recorded) => imagesAfterwards(draft, recorded));
}

function bringOldBack(draft: Draft): void {
  draft.endScalingDown();
  recordStarting(draft);
  const scaleUp = draft.step('RollbackScaleUp');
  if (!scaleUp) draft.startStep('RollbackScaleUp');
  else recordEndOfOutage(draft);
  bringBack(draft, (recorded) => imagesAfterwards(draft, recorded));
  if (!scaleUp) return;
  if (allReady(draft)) {
    draft.succeedStep('RollbackScaleUp');
    draft.aim('Finished');
    draft.end(outcome(draft));
    return;
  }
  const left = (moment(scaleUp.startTime) ?? draft.seen.now) + draft.plan.outageDeadlineSeconds * 1000 - draft.seen.now;
  if (left > 0 && !(hopelessPod(draft) && left < (draft.plan.outageDeadlineSeconds - 30) * 1000)) {
    draft.lookAgain(Math.min(left, 30_000));
    return;
  }
  draft.endStep(
    'RollbackScaleUp',
    'Failed',
    hopelessPod(draft) ?? `The old version did not become ready in time: ${notReadyYet(draft)}.`,
  );
  draft.end('NeedsHuman');
}

function imagesAfterwards(draft: Draft, recorded: RecordedWorkload): Record<string, string> {
  return isAcceptedAsMigrated(draft.seen.run.spec, draft.recorded) ? newImages(draft, recorded) : recorded.images;
}

/** Failed: the migration was never carried out. RolledBack: it was, at least in its transaction, and was undone. */
function outcome(draft: Draft): Outcome {
  if (isAcceptedAsMigrated(draft.seen.run.spec, draft.recorded)) return 'Succeeded';
  const undone = draft.runnerStep('Rollback')?.state === 'Succeeded';
  const carriedOut = draft.runnerStep('Migrate')?.state === 'Succeeded' || draft.recorded.failure?.step === 'Verify';
  return undone || carriedOut ? 'RolledBack' : 'Failed';
}
