import { runNameOf } from '../../api/names.ts';
import type { PhaseMigrationRunSpec, PhaseMigrationRunStatus } from '../../api/phase-migration-run.ts';
import type { Phase } from '../../api/phase-migration.ts';
import type { Reason } from '../../api/reasons.ts';
import type { ResolutionAction } from '../../api/resolution.ts';
import type { StepName } from '../../api/step-names.ts';
import type { Step } from '../../api/step.ts';
import { STEP_ORDER } from '../../api/step-names.ts';
import { nextNumber, runnerMustGoOn } from './resolve.ts';

/** A run's state in people's words: the same sentence goes into its condition, its PhaseMigration's and the event. */
export interface StateWords {
  phase: Phase;
  reason: Reason;
  message: string;
}

/** All steps of a run, the operator's and the runner's, in the order in which people read them. */
export function allSteps(status: PhaseMigrationRunStatus | undefined): Step[] {
  const steps: Step[] = [...(status?.steps ?? []), ...(status?.runner?.steps ?? [])];
  return steps.sort((one, other) => STEP_ORDER.indexOf(one.name) - STEP_ORDER.indexOf(other.name));
}

/** The furthest step that began; at the end none, or the one that failed. Pods that boot behind the fence are beside it. */
export function currentStep(status: PhaseMigrationRunStatus | undefined): StepName | undefined {
  if (status?.outcome) return status.failure?.step;
  const unfenced = status?.runner?.steps?.some(({ name }) => name === 'Unfence') ?? false;
  return allSteps(status).findLast(({ name }) => name !== 'ScaleUp' || unfenced)?.name;
}

/** What a run's state is called and what is said of it. */
export function stateWords(spec: PhaseMigrationRunSpec, status: PhaseMigrationRunStatus): StateWords {
  return status.outcome ? wordsOfEnd(spec, status) : wordsUnderWay(spec, status);
}

function wordsUnderWay(spec: PhaseMigrationRunSpec, status: PhaseMigrationRunStatus): StateWords {
  const { failure, runner } = status;
  const step = currentStep(status);
  const way = `${spec.startRevision} → ${spec.targetRevision}`;
  const down = status.steps?.some(({ name }) => name === 'ScaleDown') ?? false;
  if (failure && down) {
    const message = `${sentence(failure.message)} It is being undone${step ? ` (step ${step})` : ''}.${waiting(status)}`;
    return { phase: 'RollingBack', reason: 'RollingBack', message };
  }
  if (failure) {
    return {
      phase: 'Preparing',
      reason: failure.reason as Reason,
      message: `${sentence(failure.message)} Nothing was changed.`,
    };
  }
  if (down) {
    return { phase: 'Migrating', reason: 'Migrating', message: `Migrating ${way}: step ${step}.${waiting(status)}` };
  }
  if (status.runnerPodMessage) {
    return {
      phase: 'Preparing',
      reason: 'RunnerNotStarted',
      message: sentence(`The runner’s pod has not started: ${status.runnerPodMessage}`),
    };
  }
  if (status.waitingFor) return { phase: 'Preparing', reason: 'WorkloadInUse', message: sentence(status.waitingFor) };
  if (runner?.waitingFor) {
    const preflight = runner.steps?.find(({ name }) => name === 'Preflight');
    return {
      phase: 'Preparing',
      reason: (preflight?.reason ?? 'Preparing') as Reason,
      message: sentence(runner.waitingFor),
    };
  }
  return {
    phase: 'Preparing',
    reason: 'Preparing',
    message: `Preparing ${way}: ${step ? `step ${step}` : 'starting the runner'}. Users notice nothing.`,
  };
}

function waiting(status: PhaseMigrationRunStatus): string {
  if (status.runnerPodMessage) return ` The runner’s pod has not started: ${sentence(status.runnerPodMessage)}`;
  return status.runner?.waitingFor ? ` ${sentence(status.runner.waitingFor)}` : '';
}

function wordsOfEnd(spec: PhaseMigrationRunSpec, status: PhaseMigrationRunStatus): StateWords {
  const { outcome, failure, outage, runner } = status;
  const down =
    outage?.milliseconds === undefined
      ? ''
      : ` The application was down for ${(outage.milliseconds / 1000).toFixed(1)} s.`;
  switch (outcome) {
    case 'Succeeded':
      if (runner?.alreadyAtTarget) {
        return {
          phase: succeededPhase(spec),
          reason: 'AlreadyAtTarget',
          message: `The database is at ${spec.targetRevision} already; nothing was done.`,
        };
      }
      if (runner?.acceptedRevision) return acceptedWords(spec, down);
      return spec.direction === 'Up'
        ? {
            phase: 'Succeeded',
            reason: 'Succeeded',
            message: `Migrated ${spec.startRevision} → ${spec.targetRevision}.${down}`,
          }
        : {
            phase: 'RolledBack',
            reason: 'RolledBackAsRequested',
            message: `Rolled back ${spec.startRevision} → ${spec.targetRevision} as requested.${down}`,
          };
    case 'RolledBack':
      if (runner?.acceptedRevision)
        return {
          phase: 'RolledBack',
          reason: 'RolledBack',
          message: `${sentence(failure?.message)} The database was accepted as it is, at ${runner.acceptedRevision}; the application is as before.${down}`,
        };
      return {
        phase: 'RolledBack',
        reason: 'RolledBack',
        message: `${sentence(failure?.message)} Everything was undone: the database is at ${spec.startRevision}, the application is as before.${down}`,
      };
    case 'NeedsHuman':
      return { phase: 'NeedsHuman', reason: needsHumanReason(status), message: needsHumanMessage(spec, status) };
    case 'Failed':
    case undefined:
      return {
        phase: 'Failed',
        reason: (failure?.reason ?? 'NothingChanged') as Reason,
        message: `${sentence(failure?.message)} Nothing was changed.${down}`,
      };
  }
}

function acceptedWords(spec: PhaseMigrationRunSpec, down: string): StateWords {
  const message = `The database was accepted as it is, at ${spec.targetRevision}, and the application that it was made for runs.${down}`;
  return { phase: succeededPhase(spec), reason: 'Succeeded', message };
}

function succeededPhase(spec: PhaseMigrationRunSpec): Phase {
  return spec.direction === 'Up' ? 'Succeeded' : 'RolledBack';
}

function failedWayBack(status: PhaseMigrationRunStatus): Step | undefined {
  return allSteps(status).find(
    ({ name, state }) => state === 'Failed' && (name.startsWith('Rollback') || name === 'VerifyRollback'),
  );
}

function needsHumanReason(status: PhaseMigrationRunStatus): Reason {
  const name = failedWayBack(status)?.name;
  if (name === 'VerifyRollback') return 'RollbackVerificationFailed';
  return name === 'RollbackScaleUp' ? 'ScaleUpFailed' : 'RollbackFailed';
}

/** What failed, what is known, what is kept in place, and the decisions to choose from. */
function needsHumanMessage(spec: PhaseMigrationRunSpec, status: PhaseMigrationRunStatus): string {
  const failed = failedWayBack(status);
  const last = status.resolutions?.at(-1);
  const refused = last?.state === 'Refused' ? `Resolution ${last.number} was refused: ${sentence(last.message)} ` : '';
  const first = `${refused}${sentence(status.failure?.message)}`;
  if (!runnerMustGoOn(spec, status)) {
    return `${first} The database was undone, but the old version did not come back: ${sentence(failed?.message)} The fence is lifted; mend the workload. Then decide: ${decisionCommand(spec, status, 'Retry')}`;
  }
  const why = sentence(failed?.message ?? 'the runner ended again and again.');
  const fence = status.runner?.fence;
  const fenced = fence !== undefined && fence.state !== 'Lifted' ? ' and the fence up' : '';
  const kept = `The application stays down${fenced}, so that nothing gets worse`;
  const sources = whatToRestoreFrom(status.runner).join(', ') || 'there is no restore point';
  const byHand = `Without the operator, when the database is right again, for the version that ran before: ${commandsToComeBack(status).join('; ')}.`;
  return `${first} Undoing it failed too: ${why} ${whatIsKnown(spec, status)} ${kept}; ${sources}. ${choices(spec, status)} ${byHand}`;
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
function choices(spec: PhaseMigrationRunSpec, status: PhaseMigrationRunStatus): string {
  const { restorePoint, backup } = status.runner ?? {};
  const kept = restorePoint?.state === 'Taken' || restorePoint?.state === 'PuttingBack';
  const command = (action: ResolutionAction) => decisionCommand(spec, status, action);
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
  { phaseMigrationRef, attempt }: PhaseMigrationRunSpec,
  status: PhaseMigrationRunStatus,
  action: ResolutionAction,
): string {
  const archive = action === 'RestoreBackup' ? { archive: status.runner?.backup?.archive } : {};
  const runName = runNameOf(phaseMigrationRef.name, attempt);
  const resolution = { runName, number: nextNumber(status), action, ...archive };
  return `kubectl patch pm ${phaseMigrationRef.name} --type=merge -p '${JSON.stringify({ spec: { resolution } })}'`;
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

function commandsToComeBack(status: PhaseMigrationRunStatus): string[] {
  const { fence } = status.runner ?? {};
  const roles = (fence?.roles ?? []).map((role) => `ALTER ROLE "${role}" LOGIN`);
  const limit =
    fence?.connectionLimit === undefined
      ? []
      : [`ALTER DATABASE "${status.runner?.database?.name ?? '…'}" CONNECTION LIMIT ${fence.connectionLimit}`];
  const workloads = (status.workloads ?? []).flatMap(({ kind, name, replicas, images }) => {
    const workload = `${kind.toLowerCase()}/${name}`;
    const old = Object.entries(images).map(([container, image]) => `${container}=${image}`);
    return [`kubectl set image ${workload} ${old.join(' ')}`, `kubectl scale ${workload} --replicas=${replicas}`];
  });
  return [...roles, ...limit, ...workloads];
}

function sentence(text: string | undefined): string {
  if (!text) return '';
  return /[.!?]$/.test(text.trim()) ? text.trim() : `${text.trim()}.`;
}
