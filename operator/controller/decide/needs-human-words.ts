import { runNameOf } from '../../api/names.ts';
import type { PhaseMigrationRunSpec, PhaseMigrationRunStatus } from '../../api/phase-migration-run.ts';
import type { Reason } from '../../api/reasons.ts';
import type { ResolutionAction } from '../../api/resolution.ts';
import type { PhaseMigrationRun } from '../../api/resources.ts';
import type { Step } from '../../api/step.ts';
import { allSteps } from './all-steps.ts';
import { nextNumber, runnerMustGoOn } from './resolve.ts';
import { sentence } from './sentence.ts';

/** A run and where it is: commands that people copy name its namespace. */
export type NamedRun = Pick<PhaseMigrationRun, 'metadata' | 'spec'>;

function failedWayBack(status: PhaseMigrationRunStatus): Step | undefined {
  return allSteps(status).find(
    ({ name, state }) => state === 'Failed' && (name.startsWith('Rollback') || name === 'VerifyRollback'),
  );
}

/** Why a run cannot go on without a person. */
export function needsHumanReason(status: PhaseMigrationRunStatus): Reason {
  const name = failedWayBack(status)?.name;
  if (name === 'VerifyRollback') return 'RollbackVerificationFailed';
  return name === 'RollbackScaleUp' ? 'ScaleUpFailed' : 'RollbackFailed';
}

/** What failed, what is known, what is kept in place, and the decisions to choose from. */
export function needsHumanMessage(run: NamedRun, status: PhaseMigrationRunStatus): string {
  const { spec } = run;
  const failed = failedWayBack(status);
  const last = status.resolutions?.at(-1);
  const refused = last?.state === 'Refused' ? `Resolution ${last.number} was refused: ${sentence(last.message)} ` : '';
  const first = `${refused}${sentence(status.failure?.message)}`;
  if (!runnerMustGoOn(spec, status)) {
    return `${first} The database was undone, but the old version did not come back: ${sentence(failed?.message)} The fence is lifted; mend the workload. Then decide: ${decisionCommand(run, status, 'Retry')}`;
  }
  const why = sentence(failed?.message ?? 'the runner ended again and again.');
  const fence = status.runner?.fence;
  const fenced = fence !== undefined && fence.state !== 'Lifted' ? ' and the fence up' : '';
  const kept = `The application stays down${fenced}, so that nothing gets worse`;
  const sources = whatToRestoreFrom(status.runner).join(', ') || 'there is no restore point';
  const byHand = `Without the operator, when the database is right again, for the version that ran before: ${commandsToComeBack(run, status).join('; ')}.`;
  return `${first} Undoing it failed too: ${why} ${whatIsKnown(spec, status)} ${kept}; ${sources}. ${choices(run, status)} ${byHand}`;
}

/** What the database was last seen as, and whether clients may have written since. */
function whatIsKnown(
  { startRevision, targetRevision }: PhaseMigrationRunSpec,
  { runner }: PhaseMigrationRunStatus,
): string {
  const changed =
    runner?.databaseChanged === 'No'
      ? `Nothing of the migration is in the database, which is at ${startRevision}.`
      : runner?.databaseChanged === 'Yes'
        ? `The migration (${startRevision} → ${targetRevision}) or a part of it is in the database.`
        : 'It is not known whether anything of the migration is in the database.';
  const wrote =
    runner?.clientWrites === 'Possible'
      ? ' Clients may have written since the migration: a restore loses that.'
      : ' No client has written since the migration.';
  return changed + wrote;
}

/** The decisions that can be carried out, the harmless ones first, as commands. */
function choices(run: NamedRun, status: PhaseMigrationRunStatus): string {
  const { restorePoint, backup } = status.runner ?? {};
  const kept = restorePoint?.state === 'Taken' || restorePoint?.state === 'PuttingBack';
  const command = (action: ResolutionAction) => decisionCommand(run, status, action);
  const texts = [
    `mend the cause and have it tried again: ${command('Retry')}`,
    `put the database right by hand, or leave it, and have the version started that its revision in the ledger was made for: ${command('Accept')}`,
    ...(kept ? [`put the restore point back, whatever clients wrote since: ${command('RollBack')}`] : []),
    ...(backup
      ? [
          `restore the backup and lose everything written since ${backup.snapshotTime ?? backup.completionTime}: ${command('RestoreBackup')}`,
        ]
      : []),
  ];
  return `Decide: ${texts.map((text, index) => `(${index + 1}) ${text}`).join('; ')}.`;
}

function decisionCommand(
  { metadata: { namespace, uid: runUID }, spec: { phaseMigrationRef, attempt } }: NamedRun,
  status: PhaseMigrationRunStatus,
  action: ResolutionAction,
): string {
  const archive = action === 'RestoreBackup' ? { archive: status.runner?.backup?.archive } : {};
  const runName = runNameOf(phaseMigrationRef.name, attempt);
  const resolution = { runName, runUID, number: nextNumber(status), action, ...archive };
  return `kubectl -n ${namespace} patch pm ${phaseMigrationRef.name} --type=merge -p '${JSON.stringify({ spec: { resolution } })}'`;
}

function whatToRestoreFrom(runner: PhaseMigrationRunStatus['runner']): string[] {
  const { backup, restorePoint } = runner ?? {};
  const kept = restorePoint && restorePoint.state !== 'PutBack' && restorePoint.state !== 'Dropped';
  const clone = kept && restorePoint.database ? [cloneInWords(restorePoint.state, restorePoint.database)] : [];
  const archive = kept && restorePoint.archive ? [`the restore point is archive ${restorePoint.archive}`] : [];
  return [...clone, ...archive, ...(backup ? [`the backup is ${backup.archive} (SHA-256 ${backup.sha256})`] : [])];
}

function cloneInWords(state: string, database: string): string {
  return state === 'PuttingBack'
    ? `the restore point was being put in place: it is database ${database}, or has the database's own name already`
    : `the restore point is database ${database}`;
}

function commandsToComeBack({ metadata: { namespace } }: NamedRun, status: PhaseMigrationRunStatus): string[] {
  const { fence } = status.runner ?? {};
  const roles = (fence?.roles ?? []).map((role) => `ALTER ROLE "${role}" LOGIN`);
  const limit =
    fence?.connectionLimit === undefined
      ? []
      : [`ALTER DATABASE "${status.runner?.database?.name ?? '…'}" CONNECTION LIMIT ${fence.connectionLimit}`];
  const workloads = (status.workloads ?? []).flatMap(({ kind, name, replicas, images }) => {
    const workload = `${kind.toLowerCase()}/${name}`;
    const old = Object.entries(images).map(([container, image]) => `${container}=${image}`);
    return [
      `kubectl -n ${namespace} set image ${workload} ${old.join(' ')}`,
      `kubectl -n ${namespace} scale ${workload} --replicas=${replicas}`,
    ];
  });
  return [...roles, ...limit, ...workloads];
}
