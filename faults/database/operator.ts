import { setTimeout as delay } from 'node:timers/promises';
import type { Goal } from '../../operator/api/phase-migration-run.ts';
import { RUNNER_ROLLBACK_STEPS } from '../../operator/api/step-names.ts';
import type { RunPort } from '../../operator/runner/port.ts';
import type { RunnerProcess, RunnerProcesses } from '../../operator/runner/testing/process.ts';
import type { Scenario } from '../../operator/runner/testing/scenario.ts';
import type { Application } from './application.ts';
import type { History } from './histories.ts';

export interface OperatorParts {
  scenario: Scenario;
  history: History;
  processes: RunnerProcesses;
  /** Over the wire. */
  databaseUrl: string;
  application: Application;
  /** What one start of the runner has for an API server. */
  port: (epoch: number) => RunPort;
  /** Told before the goal is written; may take its time. */
  before: (goal: Goal) => Promise<void>;
  /** What a person does about the cause of a failure, as soon as one is told. */
  mend: () => Promise<void>;
  /** Told of a promise that was broken. */
  breach: (sentence: string) => void;
}

interface Start {
  epoch: number;
  process: RunnerProcess;
  end?: string;
}

/** The operator itself tries more often, and waits in between; no fault here ends more than a few. */
const MOST_STARTS = 6;
const MOST_DECISIONS = 2;
const START_AGAIN_MILLISECONDS = 200;
const SERVER_START_MILLISECONDS = 30_000;

/** Plays the operator, and the person who decides where a run could not be undone. */
export class PlayedOperator {
  readonly starts: Start[] = [];
  /** What a person had to decide about: the step that failed on the way back and its message. */
  readonly decidedAbout: string[] = [];
  readonly #parts: OperatorParts;
  #wake: () => void = () => undefined;
  #judged = new Set<number>();

  constructor(parts: OperatorParts) {
    this.#parts = parts;
  }

  /** The start of the runner that is wanted. */
  get current(): Start | undefined {
    return this.starts.at(-1);
  }

  /**
   * Carries the run through to its end.
   *
   * @throws Error when it is at an end that no operator can do anything about
   */
  async play(signal: AbortSignal): Promise<void> {
    const { scenario } = this.#parts;
    scenario.memory.port(0).watch(() => setImmediate(() => this.#wake()), signal);
    signal.addEventListener('abort', () => this.#wake(), { once: true });
    this.#start();
    for (;;) {
      const changed = new Promise<void>((resolve) => (this.#wake = resolve));
      signal.throwIfAborted();
      if (await this.#look()) return;
      await changed;
    }
  }

  /** Another start of the runner, which makes all earlier ones void; they are not told to end. */
  startNext(): void {
    const { scenario } = this.#parts;
    scenario.epoch += 1;
    scenario.memory.setEpoch(scenario.epoch);
    this.#start();
  }

  #start(): void {
    const { scenario, processes, databaseUrl, port } = this.#parts;
    if (this.starts.length === MOST_STARTS) throw new Error(`the runner ended ${MOST_STARTS} times: ${this.#ends()}`);
    const { epoch } = scenario;
    const process = processes.start(scenario, epoch, { databaseUrl, port: port(epoch) });
    const start: Start = { epoch, process };
    this.starts.push(start);
    void process.ended.then((end) => {
      start.end = end;
      this.#wake();
    });
  }

  #ends(): string {
    return this.starts.map(({ epoch, end }) => `start ${epoch}: ${end ?? 'still there'}`).join('; ');
  }

  /** @returns whether the run is at its end */
  async #look(): Promise<boolean> {
    const { goal } = this.#parts.scenario.memory.run.spec;
    const { end } = this.current!;
    if (end !== undefined) {
      if (end === 'Finished' && goal === 'Finished') return true;
      await delay(START_AGAIN_MILLISECONDS);
      this.startNext();
      return false;
    }
    if (this.#awaitsItsStart()) return false;
    switch (goal) {
      case 'Prepared':
        await this.#prepared();
        break;
      case 'Migrated':
        await this.#migrated();
        break;
      case 'RolledBack':
        await this.#rolledBack();
        break;
      case 'Finished':
        break;
    }
    return false;
  }

  /** What the status says is of an earlier start, or of before a decision. */
  #awaitsItsStart(): boolean {
    const { runner, run } = this.#parts.scenario.memory;
    const { resolution } = run.spec;
    return (
      runner.epoch !== this.current!.epoch ||
      (resolution !== undefined && runner.observedResolution !== resolution.number)
    );
  }

  async #prepared(): Promise<void> {
    const { application, mend } = this.#parts;
    if (this.#failedStep()) {
      // The application was never touched.
      await mend();
      return this.#move('Finished');
    }
    if (!this.#hasReached('Prepared')) return;
    await this.#parts.before('Migrated');
    if (!this.#hasReached('Prepared') || this.current?.end !== undefined) return;
    application.linger();
    this.#parts.scenario.memory.setGoal('Migrated');
  }

  async #migrated(): Promise<void> {
    const { scenario, application, history, mend } = this.#parts;
    if (this.#failedStep()) {
      await mend();
      return this.#move('RolledBack');
    }
    const { verificationReleased, epoch } = scenario.memory.runner;
    if (verificationReleased && history.failingJob) await this.#judge(history.failingJob, epoch);
    if (!this.#hasReached('Migrated')) return;
    await application.start('New');
    if (!history.isUndone) return this.#move('Finished');
    await application.end();
    return this.#move('RolledBack');
  }

  async #rolledBack(): Promise<void> {
    const { application } = this.#parts;
    const failed = this.#failedStep(RUNNER_ROLLBACK_STEPS);
    if (failed) return this.#decide(failed);
    if (!this.#hasReached('RolledBack')) return;
    await application.start('Old');
    await this.#move('Finished');
  }

  async #move(goal: Goal): Promise<void> {
    await this.#parts.before(goal);
    this.#parts.scenario.memory.setGoal(goal);
  }

  #hasReached(goal: Goal): boolean {
    const { reachedGoal, epoch } = this.#parts.scenario.memory.runner;
    return reachedGoal === goal && epoch === this.current!.epoch;
  }

  #failedStep(among?: readonly string[]) {
    const { steps = [] } = this.#parts.scenario.memory.runner;
    return steps.find(({ name, state }) => state === 'Failed' && (among?.includes(name) ?? true));
  }

  /** The verification Job works behind the fence, and says that the data is wrong. */
  async #judge(name: string, epoch: number): Promise<void> {
    const { scenario, breach } = this.#parts;
    if (this.#judged.has(epoch)) return;
    this.#judged.add(epoch);
    if (await this.#isOpen()) breach('the verification Job was let in although clients could log in, too');
    scenario.memory.setStatus({
      verificationJobs: [{ name, jobName: `job-${epoch}`, epoch, state: 'Failed', message: 'no' }],
    });
  }

  /** A run that could not be undone: the fence must be up. The person mends the cause and has it tried again. */
  async #decide({ name, message }: { name: string; message?: string }): Promise<void> {
    const { scenario, breach, mend } = this.#parts;
    this.decidedAbout.push(`${name}: ${message ?? ''}`);
    if (await this.#isOpen()) breach(`the run waits for a person (${name}), and clients can log in`);
    if (!message) breach(`${name} failed without a word about why`);
    if (this.decidedAbout.length > MOST_DECISIONS)
      throw new Error(`it cannot be undone although the cause is mended: ${this.decidedAbout.join(' — ')}`);
    await mend();
    const number = this.decidedAbout.length;
    scenario.memory.setResolution({ number, action: 'Retry', runnerEpoch: scenario.epoch + 1 });
    this.startNext();
  }

  /** Whether clients can log in: a server that is just being started again answers that when it is there. */
  async #isOpen(): Promise<boolean> {
    const deadline = Date.now() + SERVER_START_MILLISECONDS;
    for (;;) {
      try {
        return await this.#parts.scenario.clientCanConnect();
      } catch (error) {
        if (Date.now() > deadline) throw error;
        await delay(START_AGAIN_MILLISECONDS);
      }
    }
  }
}
