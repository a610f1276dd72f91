import type { Goal, PhaseMigrationRunStatus, RunnerStatus } from '../../api/phase-migration-run.ts';
import type { RunResolution } from '../../api/resolution.ts';
import type { PhaseMigrationRun } from '../../api/resources.ts';
import { Superseded } from '../core/failure.ts';
import type { RunPort } from '../port.ts';

/** A run in memory with the API server's rules for its runner: the operator's side of a test, not of PostgreSQL. */
export class MemoryRun {
  run: PhaseMigrationRun;
  /** Every status that was acknowledged, in order. */
  readonly history: RunnerStatus[] = [];
  /** Whether every pod ends as soon as it is told to. */
  podsEndAtOnce = true;
  readonly #watchers = new Set<(run: PhaseMigrationRun) => void>();

  constructor(run: PhaseMigrationRun) {
    this.run = run;
  }

  get runner(): RunnerStatus {
    return this.run.status?.runner ?? { epoch: 0 };
  }

  setGoal(goal: Goal): void {
    const status = { ...this.run.status, workloadsStopped: this.podsEndAtOnce };
    this.change({ ...this.run, status, spec: { ...this.run.spec, goal } });
  }

  setEpoch(runnerEpoch: number): void {
    this.change({ ...this.run, spec: { ...this.run.spec, runnerEpoch } });
  }

  setResolution(resolution: RunResolution): void {
    this.change({ ...this.run, spec: { ...this.run.spec, resolution } });
  }

  setStatus(status: Partial<PhaseMigrationRunStatus>): void {
    this.change({ ...this.run, status: { ...this.run.status, ...status } });
  }

  /** Resolves when the condition holds of the acknowledged status. */
  async when(condition: (runner: RunnerStatus) => boolean, what: string, timeoutMs = 30_000): Promise<RunnerStatus> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#watchers.delete(look);
        reject(new Error(`in vain waited for: ${what}; the status is ${JSON.stringify(this.runner, null, 1)}`));
      }, timeoutMs);
      const look = () => {
        if (!condition(this.runner)) return;
        clearTimeout(timer);
        this.#watchers.delete(look);
        resolve(this.runner);
      };
      this.#watchers.add(look);
      look();
    });
  }

  /** What one start of the runner is given. `onReport` may throw before or after a report is taken over. */
  port(epoch: number, faults: { before?: (n: number) => void; after?: (n: number) => void } = {}): RunPort {
    let reports = 0;
    const write = (status: RunnerStatus): Promise<void> => {
      const n = ++reports;
      faults.before?.(n);
      if (this.run.spec.runnerEpoch > epoch || this.runner.epoch > epoch)
        throw new Superseded(`start ${this.run.spec.runnerEpoch} works on this run`);
      this.history.push(structuredClone(status));
      this.change({ ...this.run, status: { ...this.run.status, runner: structuredClone(status) } });
      faults.after?.(n);
      return Promise.resolve();
    };
    return {
      get: () => Promise.resolve(structuredClone(this.run)),
      watch: (onChange, signal) => {
        const tell = (run: PhaseMigrationRun) => onChange(structuredClone(run));
        this.#watchers.add(tell);
        signal.addEventListener('abort', () => this.#watchers.delete(tell), { once: true });
        if (signal.aborted) this.#watchers.delete(tell);
        tell(this.run);
      },
      claim: async (status) => write(status),
      report: async (status) => write(status),
    };
  }

  protected change(run: PhaseMigrationRun): void {
    this.run = run;
    for (const watcher of [...this.#watchers]) watcher(run);
  }
}
