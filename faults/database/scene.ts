import { randomBytes } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Postgres } from '../../e2e/cluster/postgres.ts';
import { mountSmallDisk, unmountBelow } from '../../e2e/cluster/small-disk.ts';
import type { Goal, RunnerStatus } from '../../operator/api/phase-migration-run.ts';
import type { RunPort } from '../../operator/runner/port.ts';
import type { RunnerProcesses } from '../../operator/runner/testing/process.ts';
import { Scenario } from '../../operator/runner/testing/scenario.ts';
import { Application } from './application.ts';
import type { Fault } from './faults.ts';
import type { History } from './histories.ts';
import { PlayedOperator } from './operator.ts';
import { Stranger } from './stranger.ts';
import { FaultWire, type Statement, type Treatment } from './wire.ts';

/** Where a run was when something went wrong. */
export interface Moment {
  goal: Goal;
  /** The fence was being lifted, or had been. */
  isLifting: boolean;
  /** A migration outside a transaction had been announced, and not yet recorded as applied. */
  isHalfDone: boolean;
}

/** Where a fault gets at a run. */
export interface Inflicted {
  /** Before the first start of the runner. */
  begin?: () => Promise<void> | void;
  onStatement?: (statement: Statement) => Treatment | undefined | Promise<Treatment | undefined>;
  beforeGoal?: (goal: Goal) => Promise<void>;
  /** Before a report is written; `Lost`: it never is. */
  onReport?: (report: number) => Promise<'Lost' | undefined>;
  afterReport?: (report: number) => Promise<void>;
}

export interface SceneOptions {
  history: History;
  fault?: Fault;
  /** What the fault does. */
  inflict: (scene: Scene) => Inflicted;
  /** Looks at a report before it is taken over. */
  inspect: (scene: Scene, before: RunnerStatus, status: RunnerStatus) => Promise<void>;
  processes: RunnerProcesses;
  /** For disks of the run's own. */
  folder: string;
}

const VOLUME_MEBIBYTES = 64;
const LEDGER_ROW = 'INSERT-INTO-phasemigration.ledger-revision';

/** One run: a database with its roles, the wire to it, the application, and whoever plays the operator. */
export class Scene {
  readonly server: Postgres;
  readonly scenario: Scenario;
  readonly wire: FaultWire;
  readonly application: Application;
  readonly stranger: Stranger;
  readonly operator: PlayedOperator;
  readonly history: History;
  readonly fault: Fault | undefined;
  /** Promises that were broken on the way, a sentence each. */
  readonly broken = new Set<string>();
  readonly startedAt = Date.now();
  moment: Moment | undefined;
  firedAt: number | undefined;
  /** When the fault was over: from here on the run must come to its end. */
  overAt: number | undefined;
  /** What a person does about the fault when he is told of a failure. */
  readonly mends: (() => Promise<void>)[] = [];
  /** Starts of the runner that hear nothing of the API server. */
  readonly #cutOff = new Set<number>();
  #heal: () => void = () => undefined;
  readonly #healed = new Promise<void>((resolve) => (this.#heal = resolve));
  readonly #inflicted: Inflicted;
  readonly #inspect: SceneOptions['inspect'];
  #reports = 0;

  private constructor(server: Postgres, scenario: Scenario, wire: FaultWire, options: SceneOptions) {
    const { history, fault, processes } = options;
    this.server = server;
    this.scenario = scenario;
    this.wire = wire;
    this.history = history;
    this.fault = fault;
    const user = scenario.memory.run.spec.plan.database.clientRoles.length > 0 ? scenario.client : scenario.owner;
    this.application = new Application(scenario, user);
    this.stranger = new Stranger(scenario, user);
    this.#inflicted = options.inflict(this);
    this.#inspect = options.inspect;
    wire.onStatement = (statement) => this.guarded(() => this.#inflicted.onStatement?.(statement));
    this.operator = new PlayedOperator({
      ...{ scenario, history, processes, application: this.application },
      databaseUrl: scenario.urlAt(wire.port),
      port: (epoch) => this.#port(epoch),
      before: async (goal) => this.#inflicted.beforeGoal?.(goal),
      mend: () => this.mend(),
      breach: (sentence) => this.breach(sentence),
    });
  }

  static async create(server: Postgres, options: SceneOptions): Promise<Scene> {
    const scenario = await Scenario.create(server, options.history.options);
    scenario.folders.backup = join(scenario.folders.root, 'backup');
    if (options.fault?.fault === 'volume-full')
      scenario.folders.backup = join(options.folder, `volume-${randomBytes(6).toString('hex')}`);
    await mkdir(scenario.folders.backup);
    if (options.fault?.fault === 'volume-full') await mountSmallDisk(scenario.folders.backup, VOLUME_MEBIBYTES);
    return new Scene(server, scenario, await FaultWire.to(server), options);
  }

  /** Starts what is there before the run, and what the fault does before it. */
  async begin(): Promise<void> {
    await this.application.start('Old');
    this.stranger.start();
    await this.#inflicted.begin?.();
  }

  breach(sentence: string): void {
    this.broken.add(sentence);
  }

  /** The fault does something, now. */
  fire(): void {
    const { memory } = this.scenario;
    const { fence } = memory.runner;
    this.firedAt = Date.now();
    this.moment = {
      goal: memory.run.spec.goal,
      isLifting: fence?.state === 'Lifting' || fence?.state === 'Lifted',
      isHalfDone: this.history.isAlone === true && this.wire.count(LEDGER_ROW) === 1,
    };
  }

  /** It does nothing more. */
  over(): void {
    this.overAt = Date.now();
  }

  fireOnce(): void {
    this.fire();
    this.over();
  }

  async mend(): Promise<void> {
    for (const mend of this.mends.splice(0)) await mend();
  }

  /** What fails in the sweep itself is told as a failure of the run, and not by the end of all runs. */
  async guarded<T>(act: () => T | Promise<T>): Promise<T | undefined> {
    try {
      return await act();
    } catch (error) {
      this.breach(`the sweep itself failed: ${(error as Error).stack}`);
      return undefined;
    }
  }

  /** From now on the start of the runner hears nothing of the API server, until the end. */
  cutOff(epoch: number): void {
    this.#cutOff.add(epoch);
  }

  #port(epoch: number): RunPort {
    const { memory } = this.scenario;
    const inner = memory.port(epoch);
    const heard = async <T>(act: () => Promise<T>): Promise<T> => {
      if (this.#cutOff.has(epoch)) await this.#healed;
      return act();
    };
    const write: RunPort['report'] = (status) =>
      heard(async () => {
        if (status.epoch >= memory.run.spec.runnerEpoch)
          await this.guarded(() => this.#inspect(this, memory.runner, status));
        this.#reports += 1;
        if ((await this.#inflicted.onReport?.(this.#reports)) === 'Lost') return;
        await inner.report(status);
        await this.#inflicted.afterReport?.(this.#reports);
      });
    return {
      get: () => heard(() => inner.get()),
      claim: write,
      report: write,
      watch: (onChange, signal) => inner.watch((run) => this.#cutOff.has(epoch) || onChange(run), signal),
    };
  }

  /** Ends what is still under way; resolves when earlier starts of the runner have ended by themselves. */
  async settle(): Promise<void> {
    this.#heal();
    this.#cutOff.clear();
    for (const { process } of this.operator.starts) process.signal('SIGCONT');
    await Promise.all([this.application.end(), this.stranger.end()]);
    await this.mend();
    for (const sentence of [...this.application.broken, ...this.stranger.broken]) this.breach(sentence);
  }

  /** Removes everything of the run, whatever it is in the middle of. */
  async remove(): Promise<void> {
    const { scenario, server, wire } = this;
    for (const { process, end } of this.operator.starts) if (end === undefined) process.signal('SIGKILL');
    await this.settle();
    await wire.close();
    for (const database of await this.#databases()) {
      await server.psql(`ALTER DATABASE "${database}" IS_TEMPLATE false`);
      await server.psql(`DROP DATABASE "${database}" WITH (FORCE)`);
    }
    await server.psql(`DROP ROLE "${scenario.owner}"; DROP ROLE "${scenario.client}"`);
    await unmountBelow(scenario.folders.backup);
    await rm(scenario.folders.backup, { recursive: true, force: true });
    await scenario.end();
  }

  async #databases(): Promise<string[]> {
    const { scenario, server } = this;
    const names = await server.psql(`SELECT datname FROM pg_database WHERE datname ~ '^${scenario.database}($|_)'`);
    return names.split('\n').filter(Boolean);
  }
}
