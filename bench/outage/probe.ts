/** One request of the prober. Times are milliseconds since 1970 on a clock that never jumps while the prober runs. */
export interface Probe {
  start: number;
  end: number;
  /** HTTP status; 0 when no answer came. */
  status: number;
  /** The version that answered, '' when none did. */
  version: string;
}

/** The outage that a client of the application saw. Times are milliseconds since 1970. */
export interface SeenOutage {
  /** The last good answer before the first request that failed. */
  start: number;
  /** The first good answer after which no request failed. */
  end: number;
  milliseconds: number;
  /** The first good answer of the new version; requests may still have failed after it. */
  firstNewAnswer: number;
  /** Requests that failed. */
  failed: number;
  /** Requests that failed although they were sent after the first new answer had come. */
  failedAfterFirstNewAnswer: number;
  /** Answers of the old version to requests sent after the first new answer had come. */
  oldAfterFirstNewAnswer: number;
  /** The longest time between two requests: below it, the prober saw nothing. */
  longestPause: number;
}

export const isGood = (probe: Probe) => probe.status === 200;

/**
 * Works out the outage from all requests around it. Requests overlap (one that gets no answer lasts as long as its
 * timeout), so what counts as before and after is when a request was sent: every request sent before the outage's end
 * and after its start failed or was answered too late to count.
 *
 * @throws Error when there is no good answer before or after the failures, or no answer of the new version: the
 * measurement did not see the whole outage
 */
export function seenOutage(probes: readonly Probe[], newVersion: string): SeenOutage {
  const sent = [...probes].sort((a, b) => a.start - b.start);
  const failures = sent.filter((probe) => !isGood(probe));
  const firstNewAnswer = earliestEnd(sent.filter((probe) => isGood(probe) && probe.version === newVersion));
  if (firstNewAnswer === undefined) throw new Error(`No answer of the version ${newVersion} was seen.`);
  const later = sent.filter((probe) => probe.start > firstNewAnswer);
  return {
    ...bounds(sent, failures),
    firstNewAnswer,
    failed: failures.length,
    failedAfterFirstNewAnswer: later.filter((probe) => !isGood(probe)).length,
    oldAfterFirstNewAnswer: later.filter((probe) => isGood(probe) && probe.version !== newVersion).length,
    longestPause: longestPause(sent),
  };
}

function bounds(sent: Probe[], failures: Probe[]): Pick<SeenOutage, 'start' | 'end' | 'milliseconds'> {
  const [first, last] = [failures[0], failures.at(-1)];
  if (!first || !last) {
    const start = sent[0]!.start;
    return { start, end: start, milliseconds: 0 };
  }
  const before = sent.filter((probe) => isGood(probe) && probe.start < first.start).map(({ end }) => end);
  const end = earliestEnd(sent.filter((probe) => isGood(probe) && probe.start > last.start));
  if (before.length === 0) throw new Error('No good answer was seen before the first failure.');
  if (end === undefined) throw new Error('No good answer was seen after the last failure.');
  const start = Math.max(...before);
  return { start, end, milliseconds: end - start };
}

function earliestEnd(probes: Probe[]): number | undefined {
  return probes.length === 0 ? undefined : Math.min(...probes.map(({ end }) => end));
}

function longestPause(sent: Probe[]): number {
  return sent.slice(1).reduce((longest, probe, index) => Math.max(longest, probe.start - sent[index]!.start), 0);
}
