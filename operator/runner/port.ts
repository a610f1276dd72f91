import type { RunnerStatus } from '../api/phase-migration-run.ts';
import type { PhaseMigrationRun } from '../api/resources.ts';

/** How the runner sees its own PhaseMigrationRun: one object to read, to watch, and one subtree of it to write. */
export interface RunPort {
  /** The run as it is now (not from a cache). Rejects when it cannot be read now. */
  get(): Promise<PhaseMigrationRun>;
  /** Tells of every change until the signal aborts; goes on through broken connections. */
  watch(onChange: (run: PhaseMigrationRun) => void, signal: AbortSignal): void;
  /**
   * Replaces status.runner, in the place of an earlier epoch's or of nothing.
   *
   * @throws Superseded when a newer epoch has written there or is wanted by the spec
   */
  claim(status: RunnerStatus): Promise<void>;
  /**
   * Replaces status.runner of the same epoch. Sending the same twice changes nothing.
   *
   * @throws Superseded when it belongs to a newer epoch by now
   */
  report(status: RunnerStatus): Promise<void>;
}
