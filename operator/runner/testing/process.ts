import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
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
  signal(name: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): void;
}

export interface StartOptions {
  signalAt?: SignalAt;
  /** Default: the scenario's own, without anything in between. */
  databaseUrl?: string;
  /** Default: the scenario's own. */
  port?: RunPort;
}

/** Starts runners in processes of their own; the next one is always loaded already, because loading takes longest. */
export class RunnerProcesses {
  readonly #program: string;
  #spare: ChildProcess;
  readonly #all: Set<ChildProcess>;

  /** @param program what is started: a bundle of `process-main.ts`, say */
  constructor(program = join(import.meta.dirname, 'process-main.ts')) {
    this.#program = program;
    this.#spare = spawnRunner(program);
    this.#all = new Set([this.#spare]);
  }

  /** Lets one start of the runner work on the scenario's run. */
  start(scenario: Scenario, epoch: number, options: StartOptions = {}): RunnerProcess {
    const child = this.#spare;
    this.#spare = spawnRunner(this.#program);
    this.#all.add(this.#spare);
    const { signalAt, databaseUrl = scenario.url, port = scenario.memory.port(epoch) } = options;
    const { folders } = scenario;
    const link = new Link(child, port, signalAt);
    tell(child, { what: 'start', options: { databaseUrl, epoch, folders } });
    const ended = once(child, 'exit').then(() => {
      link.close();
      this.#all.delete(child);
      return link.end ?? (child.signalCode === 'SIGKILL' ? 'killed' : `exit code ${child.exitCode}`);
    });
    return { ended, signalled: link.signalled, signal: (name) => signalPod(child, name) };
  }

  /** Ends all processes. */
  async end(): Promise<void> {
    await Promise.all(
      [...this.#all].map(async (child) => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        signalPod(child, 'SIGKILL');
        await once(child, 'exit');
      }),
    );
  }
}

/** In a process group of its own, which is what a pod is to its processes; it never outlives this process. */
function spawnRunner(program: string): ChildProcess {
  return fork(program, {
    execPath: 'setpriv',
    // As in the image: optimising the parser of PostgreSQL takes longer than such a process lives.
    execArgv: ['--pdeathsig=KILL', '--', process.execPath, '--liftoff-only', '--disable-warning=ExperimentalWarning'],
    // Hundreds of starts of the same program.
    ...(program.endsWith('.ts')
      ? {}
      : { env: { ...process.env, NODE_COMPILE_CACHE: join(dirname(program), 'compile-cache') } }),
    serialization: 'advanced',
    detached: true,
  });
}

/** Reaches the runner and the programs that it started. */
function signalPod(child: ChildProcess, name: NodeJS.Signals): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, name);
  } catch (error) {
    // It has ended already.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
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
    signalPod(this.#child, this.#signalAt.signal);
    if (this.#signalAt?.moment !== 'Lost') await this.#port.report(status);
    this.#onSignalled();
  }
}
