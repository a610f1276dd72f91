import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { RunnerStatus } from '../../api/phase-migration-run.ts';
import type { PhaseMigrationRun } from '../../api/resources.ts';
import { Superseded } from '../core/failure.ts';
import type { RunPort } from '../port.ts';
import type { Scenario } from './scenario.ts';

export type ToRunner =
  | { what: 'start'; options: { databaseUrl: string; epoch: number; folders: { migrations: string; backup: string } } }
  | { what: 'changed'; run: PhaseMigrationRun }
  | { what: 'answer'; id: number; run: PhaseMigrationRun; superseded?: string };

export type FromRunner =
  { what: 'get'; id: number } | { what: 'write'; id: number; status: RunnerStatus } | { what: 'ended'; end: string };

/** A signal for the process at one of its reports: before it is acknowledged, or right after it was written. */
export interface SignalAt {
  at: (status: RunnerStatus, report: number) => boolean;
  signal: 'SIGKILL' | 'SIGSTOP';
  /** Default: Written. */
  moment?: 'Lost' | 'Written';
}

/** One start of the runner in a process of its own. */
export interface RunnerProcess {
  /** How it ended; `killed` when by a signal. */
  ended: Promise<string>;
  /** Resolves when it was sent its signal; never without one. */
  signalled: Promise<void>;
  signal(name: 'SIGKILL' | 'SIGCONT'): void;
}

/** Starts runners in processes of their own; the next one is always loaded already, because loading takes longest. */
export class RunnerProcesses {
  #spare = spawnRunner();
  readonly #all = new Set<ChildProcess>([this.#spare]);

  /** Lets one start of the runner work on the scenario's run. */
  start(scenario: Scenario, epoch: number, signalAt?: SignalAt): RunnerProcess {
    const child = this.#spare;
    this.#spare = spawnRunner();
    this.#all.add(this.#spare);
    const { folders, url } = scenario;
    const link = new Link(child, scenario.memory.port(epoch), signalAt);
    tell(child, { what: 'start', options: { databaseUrl: url, epoch, folders } });
    const ended = once(child, 'exit').then(() => {
      link.close();
      this.#all.delete(child);
      return link.end ?? (child.signalCode === 'SIGKILL' ? 'killed' : `exit code ${child.exitCode}`);
    });
    return { ended, signalled: link.signalled, signal: (name) => void child.kill(name) };
  }

  /** Ends all processes. */
  async end(): Promise<void> {
    await Promise.all(
      [...this.#all].map(async (child) => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        child.kill('SIGKILL');
        await once(child, 'exit');
      }),
    );
  }
}

function spawnRunner(): ChildProcess {
  return fork(join(import.meta.dirname, 'process-main.ts'), {
    execArgv: ['--disable-warning=ExperimentalWarning'],
    serialization: 'advanced',
  });
}

function tell(child: ChildProcess, message: ToRunner): void {
  // Who was killed a moment ago needs no answer.
  if (child.connected) child.send(message, () => undefined);
}

/** The API server's side of one runner's process. */
class Link {
  end: string | undefined;
  readonly signalled: Promise<void>;
  readonly #child: ChildProcess;
  readonly #port: RunPort;
  readonly #signalAt: SignalAt | undefined;
  readonly #watching = new AbortController();
  #onSignalled: () => void = () => undefined;
  #reports = 0;
  #hasSignalled = false;

  constructor(child: ChildProcess, port: RunPort, signalAt: SignalAt | undefined) {
    this.#child = child;
    this.#port = port;
    this.#signalAt = signalAt;
    this.signalled = new Promise((resolve) => (this.#onSignalled = resolve));
    child.on('message', (message) => void this.#serve(message as FromRunner));
    port.watch((run) => tell(child, { what: 'changed', run }), this.#watching.signal);
  }

  close(): void {
    this.#watching.abort();
  }

  async #serve(message: FromRunner): Promise<void> {
    if (this.#child.signalCode !== null || (this.#hasSignalled && this.#signalAt?.signal === 'SIGKILL')) return;
    if (message.what === 'ended') {
      this.end = message.end;
      // Nothing else may keep the process alive.
      return this.#child.disconnect();
    }
    const { id } = message;
    try {
      if (message.what === 'write') await this.#write(message.status);
      tell(this.#child, { what: 'answer', id, run: await this.#port.get() });
    } catch (error) {
      if (!(error instanceof Superseded)) throw error;
      tell(this.#child, { what: 'answer', id, run: await this.#port.get(), superseded: error.message });
    }
  }

  async #write(status: RunnerStatus): Promise<void> {
    const isDue = !this.#hasSignalled && this.#signalAt?.at(status, ++this.#reports) === true;
    if (!isDue) return this.#port.report(status);
    this.#hasSignalled = true;
    this.#child.kill(this.#signalAt?.signal);
    if (this.#signalAt?.moment !== 'Lost') await this.#port.report(status);
    this.#onSignalled();
  }
}
