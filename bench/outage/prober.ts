import { setTimeout as delay } from 'node:timers/promises';
import type { Cluster } from '../../e2e/cluster/provider.ts';
import { followLines, type Follower } from './follow.ts';
import { probesIn, stateIn, type ProberLine, type ProberState } from './prober-lines.ts';
import type { Probe } from './probe.ts';

/** How often the prober asks and how long it waits for an answer, in milliseconds. */
export const PROBE_EVERY_MS = 20;
export const PROBE_TIMEOUT_MS = 1000;

export interface Prober {
  /**
   * Resolves when the answers have been of the same kind for some time, counted from the change to it.
   *
   * @param state a version, as the backend tells it
   * @returns since when, in milliseconds since 1970
   * @throws Error with what was seen instead
   */
  untilSteady(state: string, forMs: number, timeoutMs: number): Promise<number>;
  /** Ends the prober. @returns every request that it has made */
  stop(): Promise<Probe[]>;
  /** Ends it without a result. */
  abandon(): Promise<void>;
}

/** Starts the prober in the pod that was made for it. */
export function startProber(cluster: Cluster, namespace: string, url: string): Prober {
  const states: ProberState[] = [];
  let probes: Probe[] | undefined;
  const command = ['node', '/prober/main.ts', url, String(PROBE_EVERY_MS), String(PROBE_TIMEOUT_MS)];
  const follower = followLines(
    cluster,
    ['kubectl', '-n', namespace, 'exec', '-i', 'prober', '--', ...command],
    (text) => {
      const line = JSON.parse(text) as ProberLine;
      const state = stateIn(line);
      if (state) states.push(state);
      probes ??= probesIn(line);
    },
  );
  return {
    untilSteady: (state, forMs, timeoutMs) => untilSteady(follower, states, { state, forMs, timeoutMs }),
    stop: async () => {
      await follower.endInput();
      if (!probes) throw new Error(`The prober ended without its records. ${follower.problem()}`);
      return probes;
    },
    abandon: () => follower.kill(),
  };
}

interface Wanted {
  state: string;
  forMs: number;
  timeoutMs: number;
}

async function untilSteady(follower: Follower, states: ProberState[], wanted: Wanted): Promise<number> {
  const deadline = Date.now() + wanted.timeoutMs;
  for (;;) {
    const last = states.at(-1);
    const isWanted = last?.state === wanted.state;
    const missing = isWanted ? last.since + wanted.forMs - Date.now() : wanted.forMs;
    if (isWanted && missing <= 0) return last.since;
    if (follower.hasEnded()) throw new Error(`The prober has ended. ${follower.problem()}`);
    if (Date.now() > deadline)
      throw new Error(
        `The application did not answer as ${wanted.state}; it last was: ${last?.state ?? 'not seen at all'}.`,
      );
    await delay(Math.min(Math.max(missing, 1), 50));
  }
}
