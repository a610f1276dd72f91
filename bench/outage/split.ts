/** A stretch of time; milliseconds since 1970. */
export interface Interval {
  start: number;
  end: number;
}

export interface NamedInterval extends Interval {
  name: string;
}

/** What was seen of the workload and its pods from outside, when it was seen. */
export interface WorkloadMoments {
  /** The workload was told to have no pods. */
  scaledDown: number;
  /** The last pod of the old version was told to end. */
  allTerminating: number;
  /** The last pod of the old version had ended. */
  allEnded: number;
  /** The workload was told to have pods again. */
  scaledUp: number;
  /** The first pod of the new version was ready. */
  firstReady: number;
  /** As many pods of the new version were ready as there had been of the old. */
  allReady: number;
}

/** Where an outage went, in milliseconds. The parts do not overlap and add up to the whole. */
export interface Split {
  /** From the order to scale down until every pod was told to end. */
  drain: number;
  /** The runner's steps, from the fence to its lifting. */
  steps: number;
  /** From the order to scale up until the first pod was ready; of one that boots behind the fence, from its lifting. */
  podStart: number;
  /** From the first ready pod to the end of the outage: endpoints and kube-proxy. */
  propagation: number;
  /** Where the fence waits for pods of the old version: from the last step before its lifting until they have ended. */
  stopping: number;
  /** Everything else: what the operator itself adds by noticing, deciding and telling. */
  operator: number;
}

/**
 * Splits the outage. Where parts overlap in time, the time counts once, for the part that is named first in `Split`, so
 * that `operator` is exactly the time in which nothing that has to be done was being done.
 */
export function splitOutage(
  outage: Interval,
  moments: WorkloadMoments,
  runnerSteps: readonly (Interval & { name?: string })[],
): Split {
  const { scaledDown, allTerminating, allEnded, scaledUp, firstReady } = moments;
  // A pod that boots beside the runner's steps must not hide what the operator loses between them.
  const started = Math.max(scaledUp, ...runnerSteps.map(({ end }) => end));
  const behindFence = runnerSteps.filter(({ name }) => name !== 'Unfence');
  const parts: Interval[][] = [
    [{ start: scaledDown, end: allTerminating }],
    [...runnerSteps],
    [{ start: started, end: firstReady }],
    [{ start: Math.max(firstReady, started), end: outage.end }],
    behindFence.length > 0 ? [{ start: Math.max(...behindFence.map(({ end }) => end)), end: allEnded }] : [],
  ];
  const taken: Interval[] = [];
  const lengths = parts.map((part) => {
    const before = coveredLength(outage, taken);
    taken.push(...part);
    return coveredLength(outage, taken) - before;
  });
  const [drain, steps, podStart, propagation, stopping] = lengths as [number, number, number, number, number];
  return {
    drain,
    steps,
    podStart,
    propagation,
    stopping,
    operator: outage.end - outage.start - coveredLength(outage, taken),
  };
}

/** How much of `whole` lies in at least one of the intervals. */
export function coveredLength(whole: Interval, intervals: readonly Interval[]): number {
  const inside = intervals
    .map(({ start, end }) => ({ start: Math.max(start, whole.start), end: Math.min(end, whole.end) }))
    .filter(({ start, end }) => end > start)
    .sort((a, b) => a.start - b.start);
  let reached = whole.start;
  let covered = 0;
  for (const { start, end } of inside) {
    covered += Math.max(0, end - Math.max(start, reached));
    reached = Math.max(reached, end);
  }
  return covered;
}

/** A step as a PhaseMigrationRun's status has it. */
export interface StatusStep {
  name: string;
  state: string;
  startTime?: string;
  completionTime?: string;
}

/** The steps that were carried out, with their times; skipped ones and those without both times are left out. */
export function stepIntervals(steps: readonly StatusStep[]): NamedInterval[] {
  return steps.flatMap(({ name, state, startTime, completionTime }) =>
    state !== 'Skipped' && startTime && completionTime
      ? [{ name, start: Date.parse(startTime), end: Date.parse(completionTime) }]
      : [],
  );
}
