import { RETRY_ANNOTATION } from '../../api/names.ts';
import type { PhaseMigrationRunSpec, PhaseMigrationRunStatus } from '../../api/phase-migration-run.ts';
import type { Phase } from '../../api/phase-migration.ts';
import type { Reason } from '../../api/reasons.ts';
import type { StepName } from '../../api/step-names.ts';
import { allSteps } from './all-steps.ts';
import { needsHumanMessage, needsHumanReason, type NamedRun } from './needs-human-words.ts';
import { sentence, sentences } from './sentence.ts';

/** A run's state in people's words: the same sentence goes into its condition, its PhaseMigration's and the event. */
export interface StateWords {
  phase: Phase;
  reason: Reason;
  message: string;
}

/** The furthest step that began; at the end none, or the one that failed. Pods that boot behind the fence are beside it. */
export function currentStep(status: PhaseMigrationRunStatus | undefined): StepName | undefined {
  if (status?.outcome) return status.failure?.step;
  const unfenced = status?.runner?.steps?.some(({ name }) => name === 'Unfence') ?? false;
  return allSteps(status).findLast(({ name }) => name !== 'ScaleUp' || unfenced)?.name;
}

/** What a run's state is called and what is said of it. */
export function stateWords(run: NamedRun, status: PhaseMigrationRunStatus): StateWords {
  return status.outcome ? wordsOfEnd(run, status) : wordsUnderWay(run.spec, status);
}

function wordsUnderWay(spec: PhaseMigrationRunSpec, status: PhaseMigrationRunStatus): StateWords {
  const { failure, runner } = status;
  const step = currentStep(status);
  const way = `${spec.startRevision} → ${spec.targetRevision}`;
  const down = status.steps?.some(({ name }) => name === 'ScaleDown') ?? false;
  if (failure && down) {
    // A person has decided so, and it is not undone any more.
    const what =
      spec.resolution?.action === 'Accept' ? 'The database is being accepted as it is' : 'It is being undone';
    const message = `${sentence(failure.message)} ${what}${step ? ` (step ${step})` : ''}.${waiting(status)}`;
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
      message: `${sentence(`The runner’s pod has not started: ${status.runnerPodMessage}`)} Nothing was touched yet: if the manifest is wrong, delete the PhaseMigration and apply the corrected one.`,
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
  const words = sentences(status.runner?.waitingFor, status.waitingFor);
  return words ? ` ${words}` : '';
}

function wordsOfEnd(run: NamedRun, status: PhaseMigrationRunStatus): StateWords {
  const { spec } = run;
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
          message: `When this run asked, the database was at ${spec.targetRevision} already; nothing was done.`,
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
        message: `${sentence(failure?.message)} Everything was undone: the database is at ${spec.startRevision}, the application is as before.${down}${howToRetry(run, failure)}`,
      };
    case 'NeedsHuman':
      return { phase: 'NeedsHuman', reason: needsHumanReason(status), message: needsHumanMessage(run, status) };
    case 'Failed':
    case undefined:
      return {
        phase: 'Failed',
        reason: (failure?.reason ?? 'NothingChanged') as Reason,
        message: `${sentence(failure?.message)} Nothing was changed.${down}${howToRetry(run, failure)}`,
      };
  }
}

/** What was deleted cannot be asked for anything. */
function howToRetry({ metadata, spec }: NamedRun, failure: PhaseMigrationRunStatus['failure']): string {
  if (failure?.reason === 'Deleted') return '';
  const { name } = spec.phaseMigrationRef;
  const command = `kubectl -n ${metadata.namespace} annotate pm ${name} ${RETRY_ANNOTATION}="$(date -Is)" --overwrite`;
  return ` Mend the cause, then ask for it again (${command}).`;
}

function acceptedWords(spec: PhaseMigrationRunSpec, down: string): StateWords {
  const message = `The database was accepted as it is, at ${spec.targetRevision}, and the application that it was made for runs.${down}`;
  return { phase: succeededPhase(spec), reason: 'Succeeded', message };
}

function succeededPhase(spec: PhaseMigrationRunSpec): Phase {
  return spec.direction === 'Up' ? 'Succeeded' : 'RolledBack';
}
