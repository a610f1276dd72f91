import { spawn, type ChildProcess } from 'node:child_process';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';

export interface RunnerProcessOptions {
  /** The bundled program. */
  program: string;
  /** Path of a kubeconfig that leads to the proxy. */
  kubeconfig: string;
  run: { namespace: string; name: string };
  epoch: number;
  databaseUrl: string;
  folders: { migrations: string; backup: string };
  /** Told of each line that it logs. */
  onLine: (line: string) => void;
}

/** The real runner with its real way to the API server, as its pod has it: a process group of its own. */
export class RunnerProcess {
  /** How it ended: its exit code, or the name of a signal. */
  readonly ended: Promise<number | NodeJS.Signals | null>;
  /** Somebody here has asked for its end. */
  wasKilled = false;
  readonly #child: ChildProcess;

  constructor({ program, kubeconfig, run, epoch, databaseUrl, folders, onLine }: RunnerProcessOptions) {
    const node = [process.execPath, '--liftoff-only', program, 'run'];
    this.#child = spawn('setpriv', ['--pdeathsig=KILL', '--', ...node], {
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
      env: {
        PATH: process.env.PATH,
        HOME: process.env.HOME,
        KUBECONFIG: kubeconfig,
        RUN_NAMESPACE: run.namespace,
        RUN_NAME: run.name,
        RUN_EPOCH: String(epoch),
        POD_NAME: `${run.name}-${epoch}`,
        POD_IP: '127.0.0.1',
        DATABASE_URL: databaseUrl,
        MIGRATIONS_DIR: folders.migrations,
        BACKUP_DIR: folders.backup,
        // Nobody asks; the kernel picks one that is free.
        GATE_PORT: '0',
        // Hundreds of starts of the same program.
        NODE_COMPILE_CACHE: join(dirname(program), 'compile-cache'),
      },
    });
    for (const output of [this.#child.stdout!, this.#child.stderr!])
      createInterface({ input: output }).on('line', onLine);
    this.ended = new Promise((resolve) => this.#child.once('exit', (code, signal) => resolve(code ?? signal)));
  }

  /** At once, with the programs that it started, as a pod is killed. Resolves when it is gone. */
  async kill(): Promise<void> {
    this.wasKilled = true;
    try {
      if (this.#child.pid !== undefined) process.kill(-this.#child.pid, 'SIGKILL');
    } catch (error) {
      // It has ended already.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
    await this.ended;
  }
}
