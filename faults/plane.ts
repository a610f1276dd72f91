import type { Progress } from '../e2e/cluster/progress.ts';

/** What a sweep of either plane is asked. */
export interface PlaneOptions {
  long: boolean;
  every?: boolean;
  seed: number;
  only?: string;
  jobs?: number;
  quietSeconds?: number;
  progress: Progress;
  signal: AbortSignal;
  onResult?: (run: PlaneRun) => void;
}

/** One faulted run. */
export interface PlaneRun {
  id: string;
  /** The fault did something. */
  fired: boolean;
  /** What broke a promise, one sentence each. */
  problems: string[];
  /** From the last fault to the end, in milliseconds. */
  settledAfter: number;
  /** Last words of the program. */
  log: string[];
}

export interface PlaneResult {
  runs: PlaneRun[];
  /** Of each history what can be faulted. */
  places: Record<string, string>;
  /** What else is worth a line. */
  notes?: string[];
  /** So long after the last fault a run had to be at its end. */
  restMilliseconds: number;
}

/** What became of one planted bug. */
export interface PlantedBug {
  mutation: { name: string };
  /** The faulted run that showed it, and what was seen; absent: nothing did. */
  caughtBy?: { id: string; problem: string };
  runs: number;
}

/** One of the two halves of the product, with a sweep of its own. */
export interface Plane {
  title: string;
  /** Whose words `log` are. */
  actor: string;
  /** What came so long after the last fault. */
  rest: string;
  sweep: (options: PlaneOptions) => Promise<PlaneResult>;
  /** Their names. */
  plantedBugs: string[];
  /** Plants those whose name holds `only`; of which there must be one. */
  checkMutations: (options: {
    only?: string;
    jobs?: number;
    progress: Progress;
    signal: AbortSignal;
  }) => Promise<PlantedBug[]>;
}
