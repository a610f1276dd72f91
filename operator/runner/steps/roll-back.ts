import { inverse, withoutDown } from '../core/migrations.ts';
import { currentName, openTarget } from '../establish.ts';
import { databaseExists, dropDatabase } from '../postgres/clone.ts';
import { durationInWords } from '../core/words.ts';
import { failureOf, isDone, recordStep, runStep, skipStep, stepOf, warn, type Work } from '../work.ts';
import { isSwapped, load, readProgress, type Progress } from './facts.ts';
import { fenceStep, raiseFence, unfenceStep } from './fence.ts';
import { StepFailure, Undecided } from '../core/failure.ts';
import { acceptAsItIs } from './accept.ts';
import { putBack, verifyPutBack } from './put-back.ts';
import { dropRehearsal } from './rehearse.ts';
import { rollBackByDown, verifyEarlierDown, type OtherWay } from './roll-back-down.ts';
import { releaseBackups, removeOldBackups } from './retention.ts';
import { restoreBackup } from './restore-backup.ts';
import { putBackDump, removeDump } from './restore-dump.ts';
import { workloadsStopped } from './stopped-workloads.ts';

/** Nothing that the run did ever reached the database. */
export function isUntouched(work: Pick<Work, 'reporter'>): boolean {
  return work.reporter.status.fence === undefined;
}

/** The run has made no database that is still there; told by what is recorded before one is made. */
export function leavesNothing({ reporter }: Pick<Work, 'reporter'>): boolean {
  return isUntouched({ reporter }) && reporter.status.rehearsal?.state !== 'Restoring';
}

/**
 * Undoes the run: by the restore point while nobody but the runner can have written, else by `down`. Each part looks at
 * the server first, so that it goes on after a crash where the last start ended.
 */
export async function rollBack(work: Work): Promise<void> {
  const { reporter } = work;
  if (work.spec.resolution?.action === 'Accept') return acceptAsItIs(work);
  // Verified inside a transaction is not yet committed: only both together say that it is undone.
  if (!isDone(reporter.status, 'Rollback') || !isDone(reporter.status, 'VerifyRollback')) await undo(work);
  await workloadsStopped(work);
  await unfenceStep(work, 'RollbackUnfence');
  if (await databaseExists(work.maintenance, work.names.failed))
    await dropDatabase(work.maintenance, work.names.failed);
  if (reporter.status.restorePoint?.state === 'PuttingBack')
    reporter.update({ restorePoint: { ...reporter.status.restorePoint, state: 'PutBack' } });
  reporter.update({ databaseChanged: 'No', revision: work.spec.startRevision });
}

async function undo(work: Work): Promise<void> {
  if (work.spec.resolution?.action === 'RestoreBackup') {
    await fenceAgain(work);
    return restoreBackup(work);
  }
  // Only `down` needs the files.
  const unusable = await load(work);
  const swapped = await isSwapped(work);
  const progress = swapped ? undefined : await readProgress(work);
  if (progress && isAtStart(work, progress) && !(await isPuttingBack(work))) {
    const isOurs = progress.ledger.lastRun === work.run.uid;
    if (!isOurs && stepOf(work.reporter.status, 'Rollback')?.state !== 'Running') {
      skipStep(work.reporter, 'Rollback', 'Nothing was committed: there is nothing to undo.');
      skipStep(work.reporter, 'VerifyRollback', 'Nothing was committed.');
      return;
    }
    if (work.spec.resolution?.action !== 'RollBack')
      return byDown(work, (isOtherWayOpen) => verifyEarlierDown(work, isOtherWayOpen));
  }
  await fenceAgain(work);
  if (swapped || (await mayPutBack(work, progress!))) return byRestorePoint(work);
  await byDown(work, (isOtherWayOpen) => rollBackByDown(work, { ...progress!, unusable }, isOtherWayOpen));
}

/** Either nothing was committed, or all of it has been undone by `down`: the ledger’s last row tells which. */
function isAtStart({ reporter }: Work, progress: Progress): boolean {
  return progress.applied === 0 && reporter.status.databaseChanged === 'No';
}

/** An earlier start had found that only the restore point undoes the run; what its `down` left must not be believed. */
async function isPuttingBack(work: Work): Promise<boolean> {
  return work.reporter.status.restorePoint?.state === 'PuttingBack' && canPutBack(work);
}

async function fenceAgain(work: Work): Promise<void> {
  const { status } = work.reporter;
  const isOpen = status.fence?.state === 'Lifted' || status.fence?.state === 'Lifting';
  if (isOpen || stepOf(status, 'RollbackFence')?.state === 'Running') return fenceStep(work, 'RollbackFence');
  // After a crash the proof is made again: what follows ends in a rename that needs a database without sessions.
  await raiseFence(work, {});
}

/** A restore loses what clients wrote after it was taken: only while nobody can have, or a person has decided so. */
async function mayPutBack(work: Work, progress: Progress): Promise<boolean> {
  if (work.spec.resolution?.action === 'RollBack') return approvedToPutBack(work);
  if (work.spec.plan.rollback.strategy === 'Down' && isForDown(work, progress)) return false;
  return canPutBack(work);
}

/** `down` undoes a whole migration: not the half that a failed one left, nor what it has failed to undo before. */
function isForDown(work: Work, { failed }: Progress): boolean {
  const { databaseChanged, restorePoint } = work.reporter.status;
  const isWhole = databaseChanged === 'Yes' && failed === undefined && restorePoint?.state !== 'PuttingBack';
  return isWhole && withoutDown(inverse(work.operations)).length === 0;
}

async function canPutBack(work: Work): Promise<boolean> {
  return work.reporter.status.clientWrites !== 'Possible' && isRestorePointThere(work);
}

async function isRestorePointThere(work: Work): Promise<boolean> {
  const { restorePoint } = work.reporter.status;
  if (!restorePoint || !['Taken', 'PuttingBack'].includes(restorePoint.state)) return false;
  return restorePoint.method === 'Dump' || databaseExists(work.maintenance, work.names.restorePoint);
}

async function approvedToPutBack(work: Work): Promise<boolean> {
  const { reporter, names, spec } = work;
  if (!(await isRestorePointThere(work)))
    throw new StepFailure(
      'RollbackFailed',
      `RollBack was decided, but the restore point of database "${names.target}" is not there any more`,
    );
  const since = stepOf(reporter.status, 'Unfence')?.completionTime;
  if (reporter.status.clientWrites === 'Possible')
    warn(
      reporter,
      `What clients wrote${since ? ` since ${since}` : ' after the migration'} is lost with the restore point, as resolution ${spec.resolution?.number} decided.`,
    );
  return true;
}

async function byRestorePoint(work: Work, failedDown?: StepFailure): Promise<void> {
  await runStep(work, 'Rollback', 'RollbackFailed', async (evidence) => {
    if (failedDown) evidence['failedDown'] = failedDown.message;
    if (work.reporter.status.restorePoint?.method === 'Dump' && !(await isSwapped(work)))
      await putBackDump(work, evidence);
    await putBack(work, evidence);
    const { swapMilliseconds } = evidence;
    const how = swapMilliseconds ? ` in ${durationInWords(swapMilliseconds)}` : ' before an earlier start ended';
    return `The restore point took the database’s place${how}.`;
  });
  await runStep(work, 'VerifyRollback', 'RollbackVerificationFailed', (evidence) => verifyPutBack(work, evidence));
}

/** Undoes the run by `down`, and by the restore point where that fails and nobody can have written. */
async function byDown(work: Work, down: (isOtherWayOpen: OtherWay) => Promise<void>): Promise<void> {
  const { reporter } = work;
  try {
    await down(() => isRestorePointOpen(work));
  } catch (error) {
    if (!(error instanceof Undecided)) throw error;
    warn(reporter, `down failed, so the restore point is put back: ${error.message}`);
    // What was right in the transaction of `down` must not count for what comes instead of it.
    if (isDone(reporter.status, 'VerifyRollback'))
      recordStep(reporter, { name: 'VerifyRollback', state: 'Running', startTime: new Date().toISOString() });
    await byRestorePoint(work, error.failure);
  }
}

async function isRestorePointOpen(work: Work): Promise<boolean> {
  if (!(await canPutBack(work))) return false;
  try {
    // Finds and ends whoever got in while `down` was under way, and may have written what a restore would lose.
    await raiseFence(work, {});
  } catch (error) {
    const { message } = await failureOf(work, error, 'FenceFailed');
    warn(work.reporter, `The restore point was not put back after down had failed: ${message}`);
    return false;
  }
  return canPutBack(work);
}

/**
 * The end of the run: nothing of it is left but its result. After a failed rollback everything stays as it is for the
 * people who must decide.
 */
export async function finish(work: Work): Promise<void> {
  const { reporter, maintenance, names } = work;
  if (isStuck(work)) return;
  await unfenceIfUp(work);
  await dropRehearsal(work);
  for (const database of [names.restorePoint, names.failed])
    if (await databaseExists(maintenance, database)) await dropDatabase(maintenance, database);
  await removeDump(work);
  const { restorePoint } = reporter.status;
  if (restorePoint && restorePoint.state !== 'PutBack')
    reporter.update({ restorePoint: { ...restorePoint, state: 'Dropped' } });
  await releaseBackups(work);
  await removeOldBackups(work);
}

async function unfenceIfUp(work: Work): Promise<void> {
  const { fence } = work.reporter.status;
  if (!fence || fence.state === 'Lifted') return;
  if ((await currentName(work)) === work.names.hidden) await openTarget(work);
  await unfenceStep(work, 'RollbackUnfence');
}

/** The database is not as any end of the run would have it, so everything stays where it is. */
export function isStuck(work: Work): boolean {
  const { steps = [], databaseChanged, acceptedRevision } = work.reporter.status;
  const failed = steps.filter(({ state }) => state === 'Failed').map(({ name }) => name);
  const rollbackFailed = failed.some((name) => name.includes('Rollback'));
  const settled = isDone(work.reporter.status, 'Unfence') || acceptedRevision !== undefined;
  const unresolved = databaseChanged !== undefined && databaseChanged !== 'No' && !settled;
  return rollbackFailed || unresolved;
}
