import type { Probe } from './probe.ts';

/** A line of the prober's output: a change in the answers, or in the end all requests. */
export type ProberLine =
  { state: string; since: number } | { probes: [start: number, end: number, status: number, version: string][] };

export interface ProberState {
  /** The version that answers, or `failing`. */
  state: string;
  /** Since when, in milliseconds since 1970. */
  since: number;
}

export function stateIn(line: ProberLine): ProberState | undefined {
  return 'state' in line ? line : undefined;
}

export function probesIn(line: ProberLine): Probe[] | undefined {
  if (!('probes' in line)) return undefined;
  return line.probes.map(([start, end, status, version]) => ({ start, end, status, version }));
}
