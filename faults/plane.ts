import type { Progress } from '../e2e/cluster/progress.ts';

/** What a sweep of either plane is asked. */
export interface SweepOptions<Run> {
  /** Every place of every history, each with some of the faults. */
  long: boolean;
  /** As `long`, and each place with each fault. */
  every?: boolean;
  seed: number;
  /** This fault only, at every place where there can be one; a plane that does not know it plays nothing. */
  fault?: string;
  /** Id of the one case that is wanted. */
  only?: string;
  /** Runs that are under way at the same time; those that only wait after their end are not counted. */
  jobs?: number;
  /** Control plane: how long nothing may be written after the end; the form's own when left out. */
  quietSeconds?: number;
  progress: Progress;
  signal: AbortSignal;
  /** Told of each faulted run as it ends. */
  onResult?: (run: Run) => void;
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
  milliseconds: number;
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

export interface MutationCheckOptions {
  /** Only bugs whose name holds this; there must be one. */
  only?: string;
  jobs?: number;
  progress: Progress;
  signal: AbortSignal;
}

/** What became of one planted bug. */
export interface Verdict<Mutation extends { name: string } = { name: string }> {
  mutation: Mutation;
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
  sweep: (options: SweepOptions<PlaneRun>) => Promise<PlaneResult>;
  /** Their names. */
  plantedBugs: string[];
  checkMutations: (options: MutationCheckOptions) => Promise<Verdict[]>;
}

/** What both planes tell of a faulted run. */
export function planeRun({ id, attempt, milliseconds }: Swept): PlaneRun {
  const { fired, problems, settledAfter, log } = attempt;
  return { id, fired, problems, settledAfter, log, milliseconds };
}

interface Swept {
  id: string;
  attempt: Omit<PlaneRun, 'id' | 'milliseconds'>;
  milliseconds: number;
}
