import type { Reason } from '../../api/reasons.ts';
import { RUNNER_FORWARD_STEPS, type StepName } from '../../api/step-names.ts';
import type { RunnerStep } from '../../api/step.ts';
import type { Draft } from './draft.ts';
import { sentences } from './sentence.ts';
import { moment } from './time.ts';
import { verificationIsWaiting } from './verification-jobs.ts';
import { unaskableSmokeTest, unfitWorkload } from './unfit.ts';
import { hopelessPod, neverBegins, notReadyYet } from './workloads.ts';

export type FailureRule = (draft: Draft) => Failure | undefined;

interface Failure {
  step: StepName;
  reason: Reason;
  message: string;
}

/** Why a run must be undone. The first that holds is recorded; nothing is undone before it is. */
const RULES: FailureRule[] = [
  failedRunnerStep,
  deleted,
  unfitWorkload,
  unaskableSmokeTest,
  notPreparedInTime,
  outageTooLong,
  neverReady,
];

/** Records the first failure. Stops the pass, so that undoing begins from a recorded failure. */
export function noticeFailure(draft: Draft): 'Stop' | undefined {
  // What is finished cannot fail any more; only its outcome may not be recorded yet.
  if (draft.recorded.failure || draft.goal === 'Finished') return undefined;
  for (const rule of RULES) {
    const failure = rule(draft);
    if (!failure) continue;
    draft.fail(failure.step, failure.reason, failure.message);
    return 'Stop';
  }
  return undefined;
}

function failedRunnerStep(draft: Draft) {
  const failed = RUNNER_FORWARD_STEPS.map((name) => draft.runnerStep(name)).find(
    (step): step is RunnerStep => step?.state === 'Failed',
  );
  if (!failed) return undefined;
  const reason = (failed.reason ?? 'RunnerFailed') as Reason;
  return { step: failed.name, reason, message: failed.message ?? `Step ${failed.name} failed.` };
}

/** Deletion undoes what is not finished; a migration that is verified already is brought to its end. */
function deleted(draft: Draft) {
  const { run, migration } = draft.seen;
  const going = run.metadata.deletionTimestamp ?? migration?.metadata.deletionTimestamp;
  const verified = draft.runner?.reachedGoal === 'Migrated' || draft.goal === 'Finished';
  if ((migration && !going) || verified) return undefined;
  const what = run.metadata.deletionTimestamp
    ? `PhaseMigrationRun ${run.metadata.name}`
    : `PhaseMigration ${run.spec.phaseMigrationRef.name}`;
  return {
    step: currentStep(draft),
    reason: 'Deleted' as const,
    message: `${what} was deleted while the run went on.`,
  };
}

function notPreparedInTime(draft: Draft) {
  if (draft.goal !== 'Prepared' || draft.step('ScaleDown')) return undefined;
  if (draft.seen.migration?.spec.suspend) return undefined;
  const inUse = draft.seen.workloadsInUse.length > 0;
  if (draft.runner?.reachedGoal !== undefined && verificationIsWaiting(draft) && !inUse) return undefined;
  const seconds = draft.plan.preparationDeadlineSeconds;
  const left = (moment(draft.seen.run.metadata.creationTimestamp) ?? draft.seen.now) + seconds * 1000 - draft.seen.now;
  if (left > 0) {
    draft.lookAgain(left);
    return undefined;
  }
  const waiting =
    draft.recorded.waitingFor ??
    draft.recorded.runnerPodMessage ??
    draft.runner?.waitingFor ??
    verificationPodProblem(draft) ??
    draft.runnerStep('Preflight')?.message;
  const message = `The run was not ready for its outage after ${seconds} s${waiting ? `; it waits for: ${waiting}` : ''}`;
  return { step: currentStep(draft), reason: 'PreparationDeadlineExceeded' as const, message };
}

/** From the first scale-down until the first answer of the application. */
function outageTooLong(draft: Draft) {
  const start = moment(draft.recorded.outage?.startTime);
  if (start === undefined || draft.recorded.outage?.endTime !== undefined) return undefined;
  const seconds = draft.plan.outageDeadlineSeconds;
  const left = start + seconds * 1000 - draft.seen.now;
  if (left > 0) {
    draft.lookAgain(left);
    return undefined;
  }
  if (draft.runner?.reachedGoal === 'Migrated') {
    return {
      step: 'ScaleUp' as const,
      reason: 'ScaleUpFailed' as const,
      message: `The outage lasted longer than ${seconds} s: ${notReadyYet(draft)}.`,
    };
  }
  const step = currentStep(draft);
  const words = sentences(draft.runner?.waitingFor, draft.recorded.waitingFor);
  const waiting = words ? ` (${words})` : '';
  return {
    step,
    reason: 'OutageDeadlineExceeded' as const,
    message: `The outage lasted longer than spec.outageDeadlineSeconds (${seconds} s) and was in step ${step}${waiting}.`,
  };
}

function neverReady(draft: Draft) {
  if (draft.step('ScaleUp')?.state !== 'Running') return undefined;
  const migrated = draft.runner?.reachedGoal === 'Migrated';
  const problem = hopelessPod(draft, migrated ? undefined : neverBegins);
  if (problem)
    return {
      step: 'ScaleUp' as const,
      reason: 'ScaleUpFailed' as const,
      message: `The new version does not start: ${problem}`,
    };
  // All pods may have answered once (the outage is over) and then fail: without a deadline such a run never ended.
  const left =
    (moment(draft.step('ScaleUp')?.startTime) ?? 0) + draft.plan.outageDeadlineSeconds * 1000 - draft.seen.now;
  if (left > 0) draft.lookAgain(left);
  return left > 0
    ? undefined
    : {
        step: 'ScaleUp' as const,
        reason: 'ScaleUpFailed' as const,
        message: `Not ready after ${draft.plan.outageDeadlineSeconds} s: ${notReadyYet(draft)}.`,
      };
}

/** The step to blame when no step said that it failed. */
export function currentStep(draft: Draft): StepName {
  return draft.recorded.currentStep ?? 'Preflight';
}

/** Why a verification Job does not stand at its gate, in the kubelet's or the scheduler's own words. */
function verificationPodProblem(draft: Draft): string | undefined {
  const job = draft.seen.verificationJobs.find(({ pod }) => pod?.problem && !pod.started);
  const problem = job?.pod?.problem;
  return problem && `Job ${job.name}: ${problem.reason}: ${problem.message}`;
}
