import type { VerificationJobStatus } from '../../api/phase-migration-run.ts';
import type { Draft } from './draft.ts';
import type { JobObservation } from './observation.ts';

/**
 * Creates the verification Jobs before the outage, where they wait in their gate until the runner lets them in, and
 * records what became of them. A Job that waits at the gate of a dead runner is replaced with the runner.
 */
export function trackVerification(draft: Draft): 'Stop' | undefined {
  const { runner } = draft;
  const wanted = draft.plan.verification.jobs;
  if (wanted.length === 0 || draft.seen.run.spec.direction === 'Down' || !runner?.reachedGoal || !runner.podAddress)
    return undefined;
  if (runner.alreadyAtTarget || draft.recorded.failure || draft.goal === 'Finished') return undefined;
  const epoch = runner.epoch;
  for (const job of draft.seen.verificationJobs) {
    if (job.epoch !== epoch && !job.deleting && !decided(draft, job)) draft.act({ kind: 'DeleteJob', name: job.name });
  }
  draft.record({ verificationJobs: wanted.map(({ name }) => follow(draft, name, epoch)) });
  return undefined;
}

function decided(draft: Draft, job: JobObservation): boolean {
  return (
    draft.recorded.verificationJobs?.some(({ jobName, state }) => jobName === job.name && state === 'Succeeded') ??
    false
  );
}

function follow(draft: Draft, verification: string, epoch: number): VerificationJobStatus {
  const job = draft.seen.verificationJobs.find((seen) => seen.verification === verification && seen.epoch === epoch);
  const recorded = draft.recorded.verificationJobs?.find(({ name }) => name === verification);
  const jobName = verificationJobName(draft.seen.run.metadata.name, verification, epoch);
  if (recorded?.epoch === epoch && (recorded.state === 'Succeeded' || recorded.state === 'Failed')) return recorded;
  if (!job) {
    if (draft.runner?.podAddress) {
      draft.act({ kind: 'CreateVerificationJob', verification, epoch, runnerAddress: draft.runner.podAddress });
    }
    return { name: verification, jobName, epoch, state: 'Waiting' };
  }
  return { name: verification, jobName, epoch, ...stateOf(job) };
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
      (job) => job.verification === name && job.epoch === draft.runner?.epoch && job.pod?.started,
    ),
  );
}

export function verificationJobName(run: string, verification: string, epoch: number): string {
  return `${run}-${verification}-${epoch}`.slice(0, 63);
}
