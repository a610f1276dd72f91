/** Resolves after some milliseconds, or at once when the signal aborts; never rejects. */
export function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, milliseconds);
    if (signal.aborted) end();
    else signal.addEventListener('abort', end, { once: true });
  });
}

/** Exponential delays. */
export interface Backoff {
  /** Delay after the first failure. */
  baseMilliseconds: number;
  /** No delay is longer. */
  capMilliseconds: number;
}

/**
 * The delay after `failures` failures in a row (1 or more): base, 2 × base, 4 × base … up to the cap, of which a random
 * part of up to one half is taken off, so that many who failed together do not come back together.
 */
export function backoffDelay(backoff: Backoff, failures: number, random: () => number = Math.random): number {
  const full = Math.min(backoff.capMilliseconds, backoff.baseMilliseconds * 2 ** Math.min(failures - 1, 52));
  return full * (1 - random() / 2);
}
