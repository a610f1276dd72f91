import { StepFailure } from '../core/failure.ts';
import { openTarget } from '../establish.ts';
import { readLedger } from '../postgres/ledger.ts';
import { runStep, skipStep, type Work } from '../work.ts';
import { unfenceStep } from './fence.ts';
import { workloadsStopped } from './stopped-workloads.ts';

/**
 * A person says that the database is right as it is: nothing of it is changed. Its ledger tells which version of the
 * application it was made for; the fence is lifted for that one.
 */
export async function acceptAsItIs(work: Work): Promise<void> {
  const { reporter } = work;
  if (reporter.status.acceptedRevision === undefined) await acceptRevision(work);
  await workloadsStopped(work);
  await unfenceStep(work, 'RollbackUnfence');
}

/** @throws StepFailure when the ledger is at neither of the run's two revisions: no version fits it */
async function acceptRevision(work: Work): Promise<void> {
  const { reporter, spec, names } = work;
  const { startRevision, targetRevision } = spec;
  const ledger = await readLedger(await openTarget(work));
  const revision = ledger?.revision;
  if (ledger?.unexplained.length || (revision !== startRevision && revision !== targetRevision)) {
    const unexplained = ledger?.unexplained.map(({ name }) => name).join(', ');
    const found = unexplained ? `does not know how far ${unexplained} came` : `is at ${revision ?? 'no revision'}`;
    return runStep(work, 'Rollback', 'UnexpectedRevision', () =>
      Promise.reject(
        new StepFailure(
          'UnexpectedRevision',
          `Accept was decided, but the ledger of database "${names.target}" ${found}, which is neither ${startRevision} nor ${targetRevision}: no version of the application is known to fit it. Bring the ledger to one of them (docs/troubleshooting.md) and decide again`,
        ),
      ),
    );
  }
  reporter.update({ revision, acceptedRevision: revision, databaseChanged: revision === startRevision ? 'No' : 'Yes' });
  skipStep(reporter, 'Rollback', `Accepted as it is, at ${revision}, by resolution ${spec.resolution?.number}.`);
  skipStep(reporter, 'VerifyRollback', 'Accepted as it is.');
  await reporter.flush();
}
