import type { RunnerStatus } from '../../api/phase-migration-run.ts';
import { StepFailure } from '../core/failure.ts';
import { closeTarget, currentName, openTarget } from '../establish.ts';
import { renameDatabases } from '../postgres/clone.ts';
import { readDatabaseSettings } from '../postgres/database-settings.ts';
import { readFingerprint } from '../postgres/fingerprint.ts';
import { identifier } from '../postgres/identifiers.ts';
import { isSwapped } from './facts.ts';
import { withoutSessions } from './fence.ts';
import { assertRevision } from './migrate.ts';
import { startSide, verify } from './questions.ts';
import { stepOf, type Evidence, type Work } from '../work.ts';

/** Lets the restore point, which has everything that belongs to the database itself, take the database's place. */
export async function putBack(work: Work, evidence: Evidence): Promise<void> {
  const { reporter, names } = work;
  const { restorePoint } = reporter.status;
  if (await isSwapped(work)) return;
  reporter.update({ restorePoint: { ...restorePoint!, state: 'PuttingBack' }, databaseChanged: 'Unknown' });
  await reporter.flush();
  await takePlace(work, names.restorePoint, evidence);
  evidence['method'] = restorePoint?.method ?? 'Template';
}

/** Lets another database take the target's name, in one transaction; the target gets the name `failed`. */
export async function takePlace(work: Work, successor: string, evidence: Evidence): Promise<void> {
  const { maintenance, names } = work;
  const current = await currentName(work);
  await closeTarget(work);
  const name = await nameBehindFence(work);
  const limit = await limitBehindFence(work, current);
  const began = performance.now();
  const { clientWrites } = work.reporter.status;
  await withoutSessions(work, async () => {
    refuseNewWrites(work, clientWrites);
    await renameDatabases(
      maintenance,
      [
        [current, names.failed],
        [successor, name],
      ],
      [`ALTER DATABASE ${identifier(name)} CONNECTION LIMIT ${limit}`],
    );
  });
  evidence['swapMilliseconds'] = String(Math.round(performance.now() - began));
}

/** Who was found in the database at the last moment may have written what nobody has decided to lose. */
function refuseNewWrites({ reporter, names, spec }: Work, before: RunnerStatus['clientWrites']): void {
  const { clientWrites, restorePoint } = reporter.status;
  if (clientWrites === before || spec.resolution?.action === 'RestoreBackup') return;
  if (restorePoint) reporter.update({ restorePoint: { ...restorePoint, state: 'Taken' } });
  throw new StepFailure(
    'RollbackFailed',
    `somebody was connected to database "${names.target}" when the restore point was about to take its place, and has been ended: what was written so would be lost. Retry undoes the run by down, which keeps it; RollBack puts the restore point back all the same`,
  );
}

async function mustHide(work: Work): Promise<boolean> {
  if (work.reporter.status.fence?.mode !== 'ConnectionLimit') return false;
  const row = await work.maintenance.one('SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = CURRENT_USER');
  return row['rolsuper'] !== 't';
}

async function nameBehindFence(work: Work): Promise<string> {
  return (await mustHide(work)) ? work.names.hidden : work.names.target;
}

/**
 * Under the hidden name nobody is kept out; else the limit is what it was when the restore point was taken, or, where
 * none was, that of the database which gives up its name.
 */
async function limitBehindFence(work: Work, current: string): Promise<number> {
  if (await mustHide(work)) return -1;
  const recorded = stepOf(work.reporter.status, 'RestorePoint')?.evidence?.['connectionLimit'];
  return recorded === undefined
    ? (await readDatabaseSettings(work.maintenance, current)).connectionLimit
    : Number(recorded);
}

/** What came back must be what was there before: revision, schema, figures, and the rollback checks. */
export async function verifyPutBack(work: Work, evidence: Evidence): Promise<string> {
  const target = await openTarget(work);
  await assertRevision(target, work.spec.startRevision);
  const recorded = stepOf(work.reporter.status, 'Snapshot')?.evidence?.['schemaFingerprint'];
  const fingerprint = await readFingerprint(target);
  evidence['schemaFingerprint'] = fingerprint.sha256;
  if (recorded && recorded !== fingerprint.sha256)
    throw new StepFailure('RollbackVerificationFailed', 'the schema is not what it was before the migration');
  const checks =
    work.spec.direction === 'Up' ? work.spec.plan.verification.rollbackChecks : work.spec.plan.verification.checks;
  const figures = work.reporter.status.snapshots ?? {};
  const verified = await verify(
    work,
    target,
    { checks, figures, side: startSide(work), inTransaction: false, reason: 'RollbackVerificationFailed' },
    evidence,
  );
  return `Schema as before; ${verified}.`;
}
