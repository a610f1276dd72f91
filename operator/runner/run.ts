import type { Goal, RunnerStatus } from '../api/phase-migration-run.ts';
import { RUN_PROTOCOL } from '../api/names.ts';
import type { PhaseMigrationRun } from '../api/resources.ts';
import type { RunResolution } from '../api/resolution.ts';
import { RUNNER_ROLLBACK_STEPS } from '../api/step-names.ts';
import { backoffDelay, pause as quietPause } from '../kube/timing.ts';
import { Attempt } from './attempt.ts';
import { Interrupted, Superseded } from './core/failure.ts';
import { GOAL_ORDER, isWaiting } from './goals.ts';
import { messageOf } from '../kube/message-of.ts';
import type { RunIdentity } from './core/names.ts';
import type { RunnerOptions } from './options.ts';
import { Reporter } from './reporter.ts';
import { redact } from '../kube/redact.ts';
import { isTransient, latestStep, stepOf } from './work.ts';

/** How a runner ended: its work is done, a newer start does it, or it was asked to end. */
export type RunnerEnd = 'Finished' | 'Superseded' | 'Stopped';

/** From so many losses at the same place on, people are told what the server said. */
const LOSSES_TOLD_FROM = 3;
const LONGEST_TROUBLE = 2000;

const CLAIM_RETRY = { baseMilliseconds: 100, capMilliseconds: 3000 };

/**
 * Works on one run until it is finished: takes its status over, watches how far it may go, goes there, and reports.
 * Whatever is lost on the way (a session, the lock, an interrupted step), the next look begins with the facts on the
 * server.
 */
export async function runRunner(options: RunnerOptions): Promise<RunnerEnd> {
  try {
    const runner = await Runner.start(options);
    return await runner.work();
  } catch (error) {
    if (error instanceof Superseded) {
      options.logger.info('A newer start of the runner works on this run; this one ends.', { detail: error.message });
      return 'Superseded';
    }
    if (options.signal.aborted) return 'Stopped';
    throw error;
  }
}

class Runner {
  readonly #options: RunnerOptions;
  readonly #reporter: Reporter;
  readonly #identity: RunIdentity;
  #latest: PhaseMigrationRun;
  /** Aborts the attempt under way; its reason says why. */
  #attempt = new AbortController();
  #workingTowards: Goal | undefined;
  #onChange = new Set<() => void>();
  readonly #stop = new AbortController();
  #superseded: Superseded | undefined;
  /** How often in a row sessions were lost at the same place, and the last words. */
  #losses: { place: string; count: number; because: string } | undefined;

  private constructor(options: RunnerOptions, run: PhaseMigrationRun, status: RunnerStatus) {
    this.#options = options;
    this.#latest = run;
    this.#identity = { namespace: run.metadata.namespace ?? '', name: run.metadata.name, uid: run.metadata.uid ?? '' };
    const end = () => this.#end(new Interrupted('the runner is asked to end'));
    options.signal.addEventListener('abort', end, { once: true });
    if (options.signal.aborted) end();
    this.#reporter = new Reporter(status, options.port, { signal: this.#stop.signal, logger: options.logger });
    this.#reporter.onSuperseded = () => this.#supersede();
  }

  /** Takes the status over from an earlier start. */
  static async start(options: RunnerOptions): Promise<Runner> {
    const { port, signal, logger } = options;
    for (let failures = 1; ; failures++) {
      try {
        const run = await port.get();
        refuseNewer(run, options.epoch);
        refuseProtocol(run);
        const status = takeOver(run.status?.runner, run.spec.resolution, options);
        await port.claim(status);
        const runner = new Runner(options, run, status);
        port.watch((changed) => runner.#see(changed), runner.#stop.signal);
        return runner;
      } catch (error) {
        if (error instanceof Superseded || error instanceof NotUnderstood || signal.aborted) throw error;
        logger.warn('The run cannot be taken over yet; trying again.', { error: messageOf(error) });
        await quietPause(backoffDelay(CLAIM_RETRY, failures), signal);
      }
    }
  }

  /** Attempts until one reaches the goal Finished. */
  async work(): Promise<RunnerEnd> {
    try {
      for (let failures = 0; ;) {
        const end = await this.#attemptOnce();
        if (end === 'Finished') return end;
        if (this.#superseded) throw this.#superseded;
        if (this.#options.signal.aborted) return 'Stopped';
        failures = end === 'Progress' ? 0 : failures + 1;
        if (failures > 0) await quietPause(backoffDelay(CLAIM_RETRY, failures), this.#stop.signal);
        if (failures > 0) await this.#look();
      }
    } finally {
      this.#end(new Interrupted('the runner ends'));
    }
  }

  /** One attempt on fresh sessions. `Progress`: the goal changed; `Lost`: something went away under its hands. */
  async #attemptOnce(): Promise<'Finished' | 'Progress' | 'Lost'> {
    this.#attempt = new AbortController();
    if (this.#stop.signal.aborted) this.#attempt.abort();
    const { status } = this.#reporter;
    if (status.reachedGoal === 'Prepared') this.#reporter.update({ reachedGoal: undefined });
    const attempt = new Attempt(this.#options, this.#attempt, {
      ...{ identity: this.#identity, reporter: this.#reporter },
      latest: () => this.#latest,
      changed: () => this.#changed(),
      towards: (goal) => (this.#workingTowards = goal),
      trouble: () => this.#trouble(),
    });
    try {
      return await attempt.run();
    } catch (error) {
      if (error instanceof Superseded) this.#supersede();
      if (!isTransient(error) && !this.#attempt.signal.aborted) throw error;
      this.#options.logger.info('Looking at everything anew.', { because: messageOf(error) });
      if (this.#attempt.signal.reason instanceof GoalChanged) return 'Progress';
      this.#noteLoss(messageOf(error));
      return 'Lost';
    } finally {
      attempt.end();
    }
  }

  #noteLoss(because: string): void {
    const { status } = this.#reporter;
    const { goal } = this.#latest.spec;
    const step = latestStep(status);
    const isUnderWay = step && stepOf(status, step)?.state === 'Running';
    const place = isUnderWay ? `step ${step}` : `the way to goal ${goal}`;
    // Whoever has nothing to do may lose its sessions as often as it likes.
    if (isWaiting(this.#latest, status)) this.#losses = undefined;
    else this.#losses = { place, count: this.#losses?.place === place ? this.#losses.count + 1 : 1, because };
    const trouble = this.#trouble();
    if (trouble) this.#reporter.update({ waitingFor: trouble });
  }

  #trouble(): string | undefined {
    if (!this.#losses || this.#losses.count < LOSSES_TOLD_FROM) return undefined;
    const { place, count, because } = this.#losses;
    const words = `${place} was broken off ${count} times and is tried again; the last time: ${redact(because)}`;
    return words.slice(0, LONGEST_TROUBLE);
  }

  /** Reads the run itself, so that a runner that was cut off learns of a newer one before it touches anything again. */
  async #look(): Promise<void> {
    for (let failures = 1; !this.#stop.signal.aborted; failures++) {
      try {
        return this.#see(await this.#options.port.get());
      } catch (error) {
        this.#options.logger.warn('The run cannot be read; trying again.', { error: messageOf(error) });
        await quietPause(backoffDelay(CLAIM_RETRY, failures), this.#stop.signal);
      }
    }
  }

  #see(run: PhaseMigrationRun): void {
    // Goals only move on: an older copy of the run must not bring an earlier one back.
    if (GOAL_ORDER[run.spec.goal] < GOAL_ORDER[this.#latest.spec.goal]) return;
    this.#latest = run;
    if (isNewer(run, this.#options.epoch)) return this.#supersede();
    if (this.#workingTowards && this.#workingTowards !== run.spec.goal) this.#attempt.abort(new GoalChanged());
    for (const notify of [...this.#onChange]) notify();
  }

  #changed(): Promise<void> {
    const { signal } = this.#attempt;
    return new Promise((resolve, reject) => {
      const end = () => {
        this.#onChange.delete(done);
        signal.removeEventListener('abort', interrupted);
      };
      const done = () => {
        end();
        resolve();
      };
      const interrupted = () => {
        end();
        reject(new Interrupted('the wait was interrupted'));
      };
      this.#onChange.add(done);
      signal.addEventListener('abort', interrupted, { once: true });
      if (signal.aborted) interrupted();
    });
  }

  #supersede(): void {
    this.#superseded ??= new Superseded(`the run is at start ${this.#latest.spec.runnerEpoch} of the runner`);
    this.#end(this.#superseded);
  }

  #end(reason: Error): void {
    this.#stop.abort(reason);
    this.#attempt.abort(reason);
  }
}

class GoalChanged extends Interrupted {}

function isNewer(run: PhaseMigrationRun, epoch: number): boolean {
  return run.spec.runnerEpoch > epoch || (run.status?.runner?.epoch ?? 0) > epoch;
}

/** A run of a newer operator: it would be carried out wrongly. */
class NotUnderstood extends Error {}

function refuseProtocol({ metadata, spec }: PhaseMigrationRun): void {
  if (spec.protocol > RUN_PROTOCOL)
    throw new NotUnderstood(
      `PhaseMigrationRun ${metadata.name} needs a newer runner (protocol ${spec.protocol}; this one understands ${RUN_PROTOCOL}): nothing was touched. Give the operator the runner image of its own version (chart value runner.image).`,
    );
}

function refuseNewer(run: PhaseMigrationRun, epoch: number): void {
  if (isNewer(run, epoch))
    throw new Superseded(`the run is at start ${run.spec.runnerEpoch} of the runner; this is start ${epoch}`);
}

/**
 * The way back is gone again from its beginning when a person has decided about it: what an earlier decision left out
 * must not count as done. Only a Retry keeps what has succeeded.
 */
function withoutAnswered(
  earlier: RunnerStatus | undefined,
  resolution: RunResolution | undefined,
): RunnerStatus | undefined {
  if (!earlier || !resolution || earlier.observedResolution === resolution.number) return earlier;
  const wayBack: readonly string[] = RUNNER_ROLLBACK_STEPS;
  const steps = (earlier.steps ?? []).filter(
    ({ name, state }) => !wayBack.includes(name) || (resolution.action === 'Retry' && state === 'Succeeded'),
  );
  const { acceptedRevision: _acceptedRevision, ...kept } = earlier;
  return { ...kept, steps, observedResolution: resolution.number };
}

/** What an earlier start recorded, under the new epoch. It is not prepared any more: nothing of it is warm. */
function takeOver(
  earlier: RunnerStatus | undefined,
  resolution: RunResolution | undefined,
  options: RunnerOptions,
): RunnerStatus {
  const { reachedGoal, waitingFor: _waitingFor, ...kept } = withoutAnswered(earlier, resolution) ?? {};
  return {
    databaseChanged: 'No',
    clientWrites: 'Impossible',
    ...kept,
    ...(reachedGoal && reachedGoal !== 'Prepared' ? { reachedGoal } : {}),
    epoch: options.epoch,
    ...(options.podName ? { podName: options.podName } : {}),
    ...(options.podAddress ? { podAddress: options.podAddress } : {}),
    verificationReleased: false,
  };
}
