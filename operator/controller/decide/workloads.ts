import type { RecordedWorkload } from '../../api/phase-migration-run.ts';
import type { SeenWorkload, WorkloadRef } from './decision.ts';
import type { Draft } from './draft.ts';
import type { PodObservation, WorkloadObservation } from './observation.ts';

/** What people call a workload: `Deployment planner-backend`. */
export function title(workload: { kind: string; name: string }): string {
  return `${workload.kind} ${workload.name}`;
}

/**
 * A workload is drained when its spec wants nothing, its controller knows, and every pod found by selector is gone or
 * was told to stop. `status.replicas` would not do: it leaves out terminating pods. The fence makes sure of the rest.
 */
export function isDrained(workload: WorkloadObservation): boolean {
  if (!workload.found) return true;
  const { replicas, upToDate } = workload.found;
  return replicas === 0 && upToDate && workload.pods.every((pod) => pod.terminating || pod.ended);
}

/** Every wanted replica is ready on the current template. */
export function isReady(workload: WorkloadObservation, recorded: RecordedWorkload): boolean {
  const found = workload.found;
  if (!found) return false;
  const { replicas, upToDate, updatedReplicas, readyReplicas } = found;
  return replicas === recorded.replicas && upToDate && updatedReplicas >= replicas && readyReplicas >= replicas;
}

/** At least one pod answers: for clients the outage of this workload is over. */
export function answers(workload: WorkloadObservation, recorded: RecordedWorkload): boolean {
  return recorded.replicas === 0 || workload.pods.some((pod) => pod.ready && !pod.terminating);
}

const PULL_REASONS = ['ImagePullBackOff', 'InvalidImageName', 'ErrImageNeverPull'];
/** What the kubelet says of a Secret, a ConfigMap or a key that is not there; all else it tries again with success. */
const MISSING = /not found|couldn't find key/i;

/** A pod problem that waiting does not mend. */
export function hopeless(pod: PodObservation): boolean {
  if (!pod.problem || pod.terminating) return false;
  const { reason, message, restarts } = pod.problem;
  if (reason === 'CreateContainerConfigError') return MISSING.test(message);
  return PULL_REASONS.includes(reason) || (reason === 'CrashLoopBackOff' && restarts >= 3);
}

export function observed(draft: Draft, recorded: { kind: string; name: string }): WorkloadObservation | undefined {
  return draft.seen.workloads.find(({ kind, name }) => kind === recorded.kind && name === recorded.name);
}

/** The images that a workload must have on the way forward: the recorded ones with the plan's changes. */
export function newImages(draft: Draft, recorded: RecordedWorkload): Record<string, string> {
  const planned = draft.plan.workloads.find(({ kind, name }) => kind === recorded.kind && name === recorded.name);
  return { ...recorded.images, ...planned?.images };
}

/** Whether its new version may boot while the fence keeps it out of the database. */
export function startsBehindFence(draft: Draft, workload: WorkloadRef): boolean {
  const planned = draft.plan.workloads.find(({ kind, name }) => kind === workload.kind && name === workload.name);
  return planned?.startPolicy === 'BehindFence';
}

type Found = NonNullable<WorkloadObservation['found']>;

/** The images to set: a container that somebody took away is not made again, which would be one without a command. */
function imagesToSet(wanted: Record<string, string>, { images }: Found): Record<string, string> | undefined {
  const there = Object.entries(wanted).filter(([container]) => container in images);
  return there.some(([container, image]) => images[container] !== image) ? Object.fromEntries(there) : undefined;
}

function asSeen({ kind, name }: RecordedWorkload, { resourceVersion }: Found): SeenWorkload {
  return { kind, name, resourceVersion };
}

/** Scales every recorded workload to zero; tells when somebody scaled one up again in the outage. */
export function holdDown(
  draft: Draft,
  alreadyDrained: boolean,
  workloads: RecordedWorkload[] = draft.recorded.workloads ?? [],
): boolean {
  let drained = true;
  for (const recorded of workloads) {
    const workload = observed(draft, recorded);
    if (!workload?.found) continue;
    if (workload.found.replicas !== 0) {
      draft.act({ kind: 'Scale', workload: asSeen(recorded, workload.found), replicas: 0 });
      if (alreadyDrained) {
        draft.notice({
          type: 'Warning',
          reason: 'ScaledUpDuringOutage',
          message: `${title(recorded)} was scaled to ${workload.found.replicas} by somebody else during the outage; it was scaled back to 0. It returns to ${recorded.replicas} when the run ends. Whoever scales it (a GitOps tool, an autoscaler) should be paused.`,
        });
      }
    }
    drained &&= isDrained(workload);
  }
  return drained;
}

/** Gives the recorded workloads these images and, once they have them, their replicas back. */
export function bringBack(
  draft: Draft,
  imagesOf: (recorded: RecordedWorkload) => Record<string, string>,
  workloads: RecordedWorkload[] = draft.recorded.workloads ?? [],
): void {
  for (const recorded of workloads) {
    const found = observed(draft, recorded)?.found;
    if (!found) continue;
    const wanted = imagesOf(recorded);
    const images = imagesToSet(wanted, found);
    const workload = asSeen(recorded, found);
    if (images) draft.act({ kind: 'SetImages', workload, images });
    else if (found.replicas !== recorded.replicas) {
      tellMissingContainers(draft, recorded, wanted, found);
      draft.act({ kind: 'Scale', workload, replicas: recorded.replicas });
    }
  }
}

function tellMissingContainers(
  draft: Draft,
  recorded: RecordedWorkload,
  wanted: Record<string, string>,
  { images }: Found,
): void {
  const missing = Object.keys(wanted).filter((container) => !(container in images));
  if (missing.length === 0) return;
  draft.notice({
    type: 'Warning',
    reason: 'ContainerMissing',
    message: `${title(recorded)} was changed by somebody else while the run went on: it has no container ${missing.join(', ')} any more, and is started as it is.`,
  });
}

/** Sets the images while nothing runs, so that scaling up later is one write. */
export function setImagesWhileDown(
  draft: Draft,
  imagesOf: (recorded: RecordedWorkload) => Record<string, string>,
): void {
  for (const recorded of draft.recorded.workloads ?? []) {
    const found = observed(draft, recorded)?.found;
    const images = found && imagesToSet(imagesOf(recorded), found);
    if (found?.replicas === 0 && images) draft.act({ kind: 'SetImages', workload: asSeen(recorded, found), images });
  }
}

/** One that never gets as far as its program; a program that ends may only have waited for the fence to be lifted. */
export function neverBegins(pod: PodObservation): boolean {
  return hopeless(pod) && pod.problem?.reason !== 'CrashLoopBackOff';
}

/** The first pod problem that waiting does not mend, as a sentence. */
export function hopelessPod(draft: Draft, isHopeless = hopeless): string | undefined {
  for (const workload of draft.seen.workloads) {
    const pod = workload.pods.find(isHopeless);
    if (pod?.problem) return `pod ${pod.name} of ${title(workload)}: ${pod.problem.reason}: ${pod.problem.message}`;
  }
  return undefined;
}

/** What a workload that is not ready yet waits for, as a sentence. */
export function notReadyYet(draft: Draft): string {
  const waiting = (draft.recorded.workloads ?? []).flatMap((recorded) => {
    const workload = observed(draft, recorded);
    if (!workload?.found) return [`${title(recorded)} does not exist any more`];
    if (isReady(workload, recorded)) return [];
    const problem = workload.pods.find((pod) => pod.problem && !pod.terminating)?.problem;
    const why = problem ? `${problem.reason}: ${problem.message}` : workload.found.replicaFailure;
    return [
      `${title(recorded)} has ${workload.found.readyReplicas} of ${recorded.replicas} replicas ready${why ? ` (${why})` : ''}`,
    ];
  });
  return waiting.join('; ');
}
