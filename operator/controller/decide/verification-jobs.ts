import { createHash } from 'node:crypto';
import type { VerificationJobStatus } from '../../api/phase-migration-run.ts';
import type { VerificationJob } from '../../api/plan.ts';
import type { Draft } from './draft.ts';
import type { JobObservation } from './observation.ts';
import { isoTime, moment } from './time.ts';

/**
 * Creates the verification Jobs before the outage, where they wait in their gate until the runner lets them in, and
 * records what became of them. A Job that waits at the gate of a dead runner is replaced with the runner. One that has
 * not ended in its time has failed; like all that are still at work when the run is undone it is deleted, because it
 * logs in with the owner's role, which no fence keeps out.
 */
export function trackVerification(draft: Draft): 'Stop' | undefined {
  const { runner } = draft;
  const wanted = draft.plan.verification.jobs;
  if (wanted.length === 0 || draft.seen.run.spec.direction === 'Down' || !runner?.podAddress) return undefined;
  // A start of the runner in the middle of the outage never says that it has prepared anything.
  if (draft.goal === 'Prepared' && !runner.reachedGoal) return undefined;
  if (draft.recorded.failure) return endAll(draft);
  if (runner.alreadyAtTarget || draft.goal === 'Finished') return undefined;
  const epoch = runner.epoch;
  for (const job of draft.seen.verificationJobs) {
    if (job.epoch !== epoch && !job.deleting && !decided(draft, job)) draft.act({ kind: 'DeleteJob', name: job.name });
  }
  draft.record({ verificationJobs: wanted.map((verification) => follow(draft, verification, epoch)) });
  return undefined;
}

function decided(draft: Draft, job: JobObservation): boolean {
  return (
    draft.recorded.verificationJobs?.some(({ jobName, state }) => jobName === job.name && state === 'Succeeded') ??
    false
  );
}

function endAll(draft: Draft): undefined {
  for (const job of draft.seen.verificationJobs)
    if (!job.deleting && !hasEnded(job)) draft.act({ kind: 'DeleteJob', name: job.name });
}

function hasEnded({ finished, pod }: JobObservation): boolean {
  return finished !== undefined || pod?.succeeded === true || pod?.failed === true;
}

function follow(draft: Draft, verification: VerificationJob, epoch: number): VerificationJobStatus {
  const { name } = verification;
  const job = draft.seen.verificationJobs.find((seen) => seen.verification === name && seen.epoch === epoch);
  const recorded = draft.recorded.verificationJobs?.find((other) => other.name === name && other.epoch === epoch);
  if (recorded?.state === 'Succeeded' || recorded?.state === 'Failed') return recorded;
  const jobName = verificationJobName(draft.seen.run.metadata.name, name, epoch);
  // By the operator's own clock: the runner's may be another one.
  const releaseTime =
    recorded?.releaseTime ?? (draft.runner?.verificationReleased ? isoTime(draft.seen.now) : undefined);
  const common = { name, jobName, epoch, ...(releaseTime ? { releaseTime } : {}) };
  if (!job && draft.runner?.podAddress)
    draft.act({ kind: 'CreateVerificationJob', verification: name, epoch, runnerAddress: draft.runner.podAddress });
  const state = standing(draft, job, releaseTime);
  if (state.state === 'Succeeded' || state.state === 'Failed') return { ...common, ...state };
  const late = isLate(draft, releaseTime, verification);
  return late ? { ...common, state: 'Failed', message: lateWords(verification, state) } : { ...common, ...state };
}

/** One that gave up or was evicted before anybody was let in is no answer: another one takes its place at the gate. */
function standing(draft: Draft, job: JobObservation | undefined, releaseTime: string | undefined) {
  if (!job) return { state: 'Waiting' as const };
  if (releaseTime !== undefined || !hasEnded(job)) return stateOf(job);
  if (!job.deleting) draft.act({ kind: 'DeleteJob', name: job.name });
  return { state: 'Waiting' as const };
}

/** Looks again when its time is over. */
function isLate(draft: Draft, releaseTime: string | undefined, { timeoutSeconds }: VerificationJob): boolean {
  const released = moment(releaseTime);
  if (released === undefined) return false;
  const left = released + timeoutSeconds * 1000 - draft.seen.now;
  if (left > 0) draft.lookAgain(left);
  return left <= 0;
}

function lateWords(
  { timeoutSeconds }: VerificationJob,
  { state, message }: Pick<VerificationJobStatus, 'state' | 'message'>,
): string {
  const why = message ? ` (${message})` : state === 'Waiting' ? ' (its container was not seen to start)' : '';
  return `it did not end within ${timeoutSeconds} s of being let in${why}`;
}

function stateOf({ finished, pod }: JobObservation): Pick<VerificationJobStatus, 'state' | 'message'> {
  const lines = pod?.lastLines?.trim().slice(-2000);
  // The pod knows about a second before the Job controller does; a Job may fail (its deadline) without a pod's word.
  if (pod?.succeeded || finished === 'Complete') return { state: 'Succeeded', ...(lines ? { message: lines } : {}) };
  if (pod?.failed || finished === 'Failed') return { state: 'Failed', message: lastWords(pod?.exitCode, lines) };
  const problem = pod?.problem && `${pod.problem.reason}: ${pod.problem.message}`.slice(0, 2000);
  return { state: pod?.running ? 'Running' : 'Waiting', ...(problem ? { message: problem } : {}) };
}

function lastWords(exitCode: number | undefined, lines: string | undefined): string {
  const code = exitCode === undefined ? 'it did not end by itself' : `exit code ${exitCode}`;
  return lines ? `${code}: ${lines}` : code;
}

/** Every verification Job stands at its gate, so that no scheduling and no pull of the gate's image is in the outage. */
export function verificationIsWaiting(draft: Draft): boolean {
  const wanted = draft.plan.verification.jobs;
  if (wanted.length === 0 || draft.seen.run.spec.direction === 'Down') return true;
  return wanted.every(({ name }) =>
    draft.seen.verificationJobs.some(
      (job) =>
        job.verification === name &&
        job.epoch === draft.runner?.epoch &&
        job.pod?.started &&
        !hasEnded(job) &&
        !job.deleting,
    ),
  );
}

const LONGEST_JOB_NAME = 63;

/** Unique, and never longer than a Job's name may be. */
export function verificationJobName(run: string, verification: string, epoch: number): string {
  const name = `${run}-verify-${verification}-${epoch}`;
  if (name.length <= LONGEST_JOB_NAME) return name;
  const hash = createHash('sha256').update(name).digest('hex').slice(0, 8);
  return `${name.slice(0, LONGEST_JOB_NAME - hash.length - 1).replace(/[-.]+$/, '')}-${hash}`;
}
