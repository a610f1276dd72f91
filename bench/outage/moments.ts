import type { WorkloadMoments } from './split.ts';

/** One change of a pod of the workload, when it was seen. */
export interface PodEvent {
  at: number;
  name: string;
  isTerminating: boolean;
  /** It is gone, or no container of it runs any more. */
  hasEnded: boolean;
  isReady: boolean;
}

/** The number of pods that the workload was told to have, when it was seen. */
export interface ScaleEvent {
  at: number;
  replicas: number;
}

/**
 * Finds the moments of one outage in everything that was seen.
 *
 * @throws Error naming the moment that was not seen
 */
export function momentsOf(scales: readonly ScaleEvent[], pods: readonly PodEvent[]): WorkloadMoments {
  const before = scales.find(({ replicas }) => replicas > 0);
  const down = required(before && scales.find(({ at, replicas }) => at > before.at && replicas === 0), 'scaled down');
  const up = required(
    scales.find(({ at, replicas }) => at > down.at && replicas > 0),
    'scaled up',
  );
  const old = new Set(pods.filter(({ at }) => at <= down.at).map(({ name }) => name));
  const terminating = firstOfEach(pods.filter(({ name, isTerminating }) => old.has(name) && isTerminating));
  if (old.size === 0 || terminating.length < old.size) throw new Error(notSeen('every old pod told to end'));
  const ended = firstOfEach(pods.filter(({ name, hasEnded }) => old.has(name) && hasEnded));
  const ready = firstOfEach(pods.filter(({ name, isReady }) => !old.has(name) && isReady));
  const wanted = before!.replicas;
  return {
    scaledDown: down.at,
    allTerminating: terminating.at(-1)!,
    allEnded: required(ended[old.size - 1], 'every old pod ended'),
    scaledUp: up.at,
    firstReady: required(ready[0], 'the first new pod ready'),
    allReady: required(ready[wanted - 1], `${wanted} new pods ready`),
  };
}

/** When each pod was first seen like that, in order of time. */
function firstOfEach(events: PodEvent[]): number[] {
  const first = new Map<string, number>();
  for (const { name, at } of events) if (!first.has(name)) first.set(name, at);
  return [...first.values()].sort((a, b) => a - b);
}

function required<Value>(value: Value | undefined, what: string): Value {
  if (value === undefined) throw new Error(notSeen(what));
  return value;
}

const notSeen = (what: string) => `Watching the workload did not show: ${what}.`;
