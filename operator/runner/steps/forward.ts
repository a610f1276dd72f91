import { StepFailure } from '../core/failure.ts';
import type { LedgerState } from '../core/ledger.ts';
import { isDone, recordStep, runStep, skipStep, stepOf, type Work } from '../work.ts';
import { changedSinceJudged, load, readProgress } from './facts.ts';
import { fenceStep, raiseFence, unfenceStep } from './fence.ts';
import { databaseExists } from '../postgres/clone.ts';
import { allTransactional, migrate } from './migrate.ts';
import { restorePointMethod, takeRestorePoint } from './restore-point.ts';
import { workloadsStopped } from './stopped-workloads.ts';
import { verificationJobs } from './verification-jobs.ts';

/** Carries the run through the outage: from the facts, wherever an earlier start of the runner ended. */
export async function carryThrough(work: Work): Promise<void> {
  const { status } = work.reporter;
  if (status.alreadyAtTarget) return;
  // That clients may have written is recorded before they are let in: then everything before it is done.
  const isLifting = status.fence?.state === 'Lifting' || status.fence?.state === 'Lifted';
  if (!isLifting) await behindFence(work);
  await workloadsStopped(work);
  await unfenceStep(work, 'Unfence', { clientWrites: 'Possible', verificationReleased: false });
}

async function behindFence(work: Work): Promise<void> {
  const { reporter } = work;
  const unusable = await load(work);
  if (unusable && !reporter.status.fence) throw unusable;
  await fence(work);
  const { ledger, applied, unexplained, failed } = await readProgress(work);
  if (unexplained) return refuseUnexplained(work, unexplained);
  if (failed) return refuseFailed(work, failed);
  if (unusable && !isAllDone(work, ledger)) return refuse(work, unusable);
  const remaining = work.operations.slice(applied);
  const changed = changedSinceJudged(work, remaining);
  if (changed) return refuse(work, changed);
  if (applied === 0) await restorePoint(work);
  const isVerified = allTransactional(work.operations) || isDone(reporter.status, 'Verify');
  if (remaining.length > 0) await migrate(work, remaining);
  else if (isVerified) confirmCommitted(work);
  else {
    if (!isDone(reporter.status, 'Migrate')) confirm(work, 'Migrate', 'applied it');
    await migrate(work, []);
  }
  if (work.spec.direction === 'Up' && work.spec.plan.verification.jobs.length > 0) await verificationJobs(work);
}

async function fence(work: Work): Promise<void> {
  const { status } = work.reporter;
  const method = restorePointMethod(work);
  if (isDone(status, 'Fence')) {
    await raiseFence(work, {});
    return;
  }
  const planned = status.restorePoint ?? (method === 'None' ? undefined : plannedRestorePoint(work, method));
  await fenceStep(work, 'Fence', { clientWrites: 'Impossible', ...(planned ? { restorePoint: planned } : {}) });
}

/** Recorded together with the fence, so that it costs no further question to the API server in the outage. */
function plannedRestorePoint(work: Work, method: 'Template' | 'Dump') {
  return { state: 'Taking' as const, method, ...(method === 'Template' ? { database: work.names.restorePoint } : {}) };
}

async function restorePoint(work: Work): Promise<void> {
  const method = restorePointMethod(work);
  const { status } = work.reporter;
  const isOutdated = status.clientWrites === 'Possible';
  const isTaken = status.restorePoint?.state === 'Taken' && isDone(status, 'Snapshot');
  if (!isOutdated && method !== 'None' && isTaken && (await isThere(work, method))) return;
  // Somebody opened the fence for a while: what clients wrote then belongs into the restore point too.
  if (isOutdated && status.restorePoint)
    work.reporter.update({ clientWrites: 'Impossible', restorePoint: { ...status.restorePoint, state: 'Taking' } });
  if (method === 'None') skipStep(work.reporter, 'RestorePoint', 'The manifest says that none is taken.');
  await takeRestorePoint(work, method);
}

/** A failover may have lost what was recorded, and a person may have dropped it. */
async function isThere(work: Work, method: 'Template' | 'Dump'): Promise<boolean> {
  return method === 'Dump' || databaseExists(work.maintenance, work.names.restorePoint);
}

/** Then nothing is left that the files would be needed for. */
function isAllDone({ spec, reporter: { status } }: Work, { revision }: LedgerState): boolean {
  return revision === spec.targetRevision && isDone(status, 'Migrate') && isDone(status, 'Verify');
}

function refuse(work: Work, failure: StepFailure): Promise<void> {
  return runStep(work, 'Migrate', 'MigrationFailed', () => Promise.reject(failure));
}

function refuseUnexplained(work: Work, name: string): Promise<void> {
  const failure = new StepFailure(
    'MigrationFailed',
    `migration "${name}" runs outside a transaction and was begun by an earlier start of the runner; how far it came is not known, and it is never tried again blindly`,
  );
  return refuse(work, failure);
}

/** An earlier start wrote that it failed, and could not report so any more. */
function refuseFailed(work: Work, name: string): Promise<void> {
  const failure = new StepFailure(
    'MigrationFailed',
    `the ledger says that migration "${name}" failed in an earlier start of the runner; a part of what it did may be there, and it is never tried again blindly`,
  );
  return refuse(work, failure);
}

/** An earlier start committed and could not say so any more. */
function confirmCommitted(work: Work): void {
  if (work.spec.direction === 'Down' || !isDone(work.reporter.status, 'Migrate')) {
    for (const name of ['Migrate', 'Verify'] as const)
      if (!isDone(work.reporter.status, name)) confirm(work, name, 'committed it, together with its checks');
  }
}

function confirm(work: Work, name: 'Migrate' | 'Verify', what: string): void {
  const message = `The ledger says that an earlier start of the runner ${what}.`;
  const completionTime = new Date().toISOString();
  recordStep(work.reporter, {
    ...stepOf(work.reporter.status, name),
    name,
    state: 'Succeeded',
    message,
    completionTime,
  });
}
