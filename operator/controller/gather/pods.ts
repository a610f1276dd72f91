import { redact } from '../../kube/redact.ts';
import type { Pod } from '../../kube/resource-types.ts';
import type { JobPodObservation, PodObservation, PodProblem } from '../decide/observation.ts';

type ContainerStatus = NonNullable<NonNullable<Pod['status']>['containerStatuses']>[number];

/** Waiting reasons that only say that the kubelet is at work. */
const ORDINARY = ['ContainerCreating', 'PodInitializing'];

export function observePod(pod: Pod): PodObservation {
  const { status, metadata } = pod;
  return {
    name: metadata.name,
    terminating: metadata.deletionTimestamp !== undefined,
    ended: status?.phase === 'Succeeded' || status?.phase === 'Failed',
    ready: status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false,
    problem: problemOf(pod),
  };
}

/** A pod of a Job, with what its Job's fate depends on. `container`: the one whose end and last words count. */
export function observeJobPod(pod: Pod, container: string): JobPodObservation {
  const { initContainerStatuses: inits = [], containerStatuses = [] } = pod.status ?? {};
  const main = containerStatuses.find(({ name }) => name === container)?.state;
  const ended = main?.terminated ?? failedInit(inits);
  const running = (main?.running ?? main?.terminated) !== undefined;
  return {
    ...observePod(pod),
    address: pod.status?.podIP,
    failed: pod.status?.phase === 'Failed',
    succeeded: pod.status?.phase === 'Succeeded',
    started: running || inits.some(({ state }) => (state?.running ?? state?.terminated) !== undefined),
    running,
    exitCode: ended?.exitCode,
    endReason: ended?.reason,
    // A user's own program may have printed the URL that it was given.
    lastLines: redacted(ended?.message ?? pod.status?.message),
  };
}

function failedInit(inits: ContainerStatus[]) {
  return inits.map(({ state }) => state?.terminated).find((state) => state && state.exitCode !== 0);
}

/** Why a pod does not run, in the kubelet's or the scheduler's own words. */
function problemOf(pod: Pod): PodProblem | undefined {
  const statuses: ContainerStatus[] = [
    ...(pod.status?.initContainerStatuses ?? []),
    ...(pod.status?.containerStatuses ?? []),
  ];
  for (const status of statuses) {
    const waiting = status.state?.waiting;
    if (waiting?.reason && !ORDINARY.includes(waiting.reason)) {
      const message = lastTermination(status) ?? waiting.message ?? `container ${status.name} waits`;
      return { reason: waiting.reason, message, restarts: status.restartCount };
    }
  }
  const unscheduled = pod.status?.conditions?.find(({ type, status }) => type === 'PodScheduled' && status === 'False');
  if (!unscheduled) return undefined;
  return {
    reason: unscheduled.reason ?? 'Unschedulable',
    message: unscheduled.message ?? 'no node takes the pod',
    restarts: 0,
  };
}

/** A crash-looping container's last words say more than the kubelet's back-off notice. */
function lastTermination(status: ContainerStatus): string | undefined {
  const last = status.lastState?.terminated;
  if (!last) return undefined;
  const words = redacted(last.message)?.trim().split('\n').at(-1);
  return `container ${status.name} ended with exit code ${last.exitCode}${words ? `: ${words}` : ''}`;
}

function redacted(text: string | undefined): string | undefined {
  return text === undefined ? undefined : redact(text);
}
