import { RUNNER_FIELD_MANAGER } from '../../api/names.ts';
import type { PhaseMigrationRun } from '../../api/resources.ts';
import { claimAdvice } from './claim-words.ts';
import type { Draft } from './draft.ts';
import type { JobObservation, PodProblem } from './observation.ts';
import { cut, sentences } from './sentence.ts';
import { moment } from './time.ts';

/** So many starts of the runner are tried in one run before a person is asked. */
export const RUNNER_START_LIMIT = 12;

/**
 * Keeps exactly one start of the runner at work: its Job is created, a dead one is followed by one with the next
 * epoch, and Jobs of older epochs are deleted. Each Job is tried once (backoffLimit 0), because whether and when to try
 * again is decided here, within an outage at once.
 */
export function keepRunnerAlive(draft: Draft): 'Stop' | undefined {
  const epoch = draft.seen.run.spec.runnerEpoch;
  for (const job of draft.seen.runnerJobs) {
    if (job.epoch < epoch && !job.deleting) draft.act({ kind: 'DeleteJob', name: job.name });
  }
  // It has ended because there is nothing left for it to do.
  if (draft.runner?.reachedGoal === 'Finished') return undefined;
  const current = draft.seen.runnerJobs.find((job) => job.epoch === epoch);
  recordPodProblem(draft, current);
  if (!current) {
    // A Job that has reported and is gone was deleted by somebody: its pod may still be ending, so it gets a successor.
    if (draft.runner?.epoch === epoch) return startSuccessor(draft, undefined);
    draft.act({ kind: 'CreateRunner', epoch });
    return undefined;
  }
  if (hasDied(current)) return startSuccessor(draft, current);
  if (current.pod?.running) restoreAccess(draft, current);
  return undefined;
}

const LONG_SILENCE_MILLISECONDS = 60_000;

/**
 * A runner whose Role somebody deleted works and cannot say so, and one that works for long says nothing either: after
 * each minute of silence what it needs to report is made again if it is gone.
 */
function restoreAccess(draft: Draft, { createdAt = 0 }: JobObservation): void {
  const { now, run } = draft.seen;
  // One that waits for a go-ahead or a person has nothing to say.
  if (draft.runner?.reachedGoal === draft.goal || draft.recorded.outcome) return;
  const silence = now - Math.max(createdAt, lastReport(run) ?? 0);
  if (silence >= LONG_SILENCE_MILLISECONDS) draft.act({ kind: 'RestoreRunnerAccess' });
  draft.lookAgain(LONG_SILENCE_MILLISECONDS - (Math.max(0, silence) % LONG_SILENCE_MILLISECONDS));
}

/** When the runner last changed its status, by the API server's clock. */
function lastReport({ metadata }: PhaseMigrationRun): number | undefined {
  return moment(metadata.managedFields?.find(({ manager }) => manager === RUNNER_FIELD_MANAGER)?.time);
}

/**
 * A pod that was told to end counts as dead, because on a lost node it stays so until the kubelet returns. The database's
 * lock and the epoch keep it from touching anything while its successor works.
 */
export function hasDied({ finished, deleting, pod }: JobObservation): boolean {
  return (
    finished !== undefined || deleting || pod?.failed === true || pod?.succeeded === true || pod?.terminating === true
  );
}

function startSuccessor(draft: Draft, dead: JobObservation | undefined): 'Stop' | undefined {
  const epoch = draft.seen.run.spec.runnerEpoch;
  if (epoch >= lastStart(draft)) return giveUp(draft, dead);
  // The first successor starts at once: an outage may be going on. Later ones wait, doubling, up to half a minute.
  const delay = epoch === 1 ? 0 : Math.min(30_000, 500 * 2 ** (epoch - 1));
  // One that was deleted has no end: without its beginning a deletion that goes on would use up all starts at once.
  const earliest = (dead?.finishedAt ?? dead?.createdAt ?? 0) + delay;
  if (draft.seen.now < earliest) {
    draft.lookAgain(earliest - draft.seen.now);
    return undefined;
  }
  draft.nextEpoch();
  draft.notice({
    type: 'Warning',
    reason: 'RunnerReplaced',
    message: `The runner (start ${epoch}) ended before its work was done${lastWords(dead)}; start ${epoch + 1} goes on from what the database says.`,
  });
  return undefined;
}

/** What a person decided gets as many starts as everything before it. */
export function lastStart({ seen: { run } }: Draft): number {
  return RUNNER_START_LIMIT + (run.spec.resolution?.runnerEpoch ?? 1) - 1;
}

function lastWords(job: JobObservation | undefined): string {
  const pod = job?.pod;
  if (!pod) return '';
  const reason = pod.endReason && !UNTELLING_REASONS.includes(pod.endReason) ? ` (${pod.endReason})` : '';
  const code = pod.exitCode === undefined ? '' : ` with exit code ${pod.exitCode}${reason}`;
  const words = lastMessage(pod.lastLines);
  return `${code}${words ? `; its last words were "${words}"` : ''}`;
}

/** Reasons of a terminated container that say no more than its exit code. */
const UNTELLING_REASONS = ['Error', 'Completed'];

/** The sentence of the last line: the runner logs JSON. */
function lastMessage(lines: string | undefined): string | undefined {
  const line = lines?.trim().split('\n').at(-1);
  if (!line) return undefined;
  return (/"message":"((?:[^"\\]|\\.)*)"/.exec(line)?.[1] ?? line).slice(0, 300);
}

function giveUp(draft: Draft, dead: JobObservation | undefined): 'Stop' | undefined {
  const message = `The runner was started ${RUNNER_START_LIMIT} times and ended each time before its work was done${lastWords(dead)}. See the logs of its last pod.`;
  if (draft.recorded.outcome) return undefined;
  if (draft.recorded.failure && draft.goal === 'RolledBack') {
    draft.end('NeedsHuman');
    return 'Stop';
  }
  draft.fail(draft.recorded.currentStep ?? 'Preflight', 'RunnerFailed', message);
  return undefined;
}

function recordPodProblem(draft: Draft, job: JobObservation | undefined): void {
  const problem = job?.pod?.problem;
  const waiting = problem !== undefined && !job?.pod?.running;
  const message = waiting ? problemInWords(draft, problem) : podIsMissing(draft, job);
  draft.record({ runnerPodMessage: message });
}

/** Leaves room for what is to be done about it: the status takes 4096. */
const LONGEST_PROBLEM = 3000;

function problemInWords(draft: Draft, { reason, message }: PodProblem): string {
  const words = cut(`${reason}: ${message}`, LONGEST_PROBLEM);
  const advice = claimAdvice(draft, message);
  return advice ? sentences(words, advice) : words;
}

const POD_IS_LATE_MILLISECONDS = 5000;

/** What keeps the Job controller from making a pod (a quota, a policy) stands in events of the Job only. */
function podIsMissing(draft: Draft, job: JobObservation | undefined): string | undefined {
  if (!job || job.pod || job.finished || job.deleting || job.createdAt === undefined) return undefined;
  const left = job.createdAt + POD_IS_LATE_MILLISECONDS - draft.seen.now;
  if (left > 0) {
    draft.lookAgain(left);
    return undefined;
  }
  const { namespace } = draft.seen.run.metadata;
  return `Job ${job.name} has no pod: kubectl -n ${namespace} describe job ${job.name} says why (a quota, a policy)`;
}
