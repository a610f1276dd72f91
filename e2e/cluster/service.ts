import { spawn } from 'node:child_process';
import { open, readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';

export interface ServiceOptions {
  /** What people call it in an error message, for instance `kube-apiserver`. */
  name: string;
  command: string;
  args: string[];
  /** Receives standard output and error; its end is quoted when the service fails. */
  logFile: string;
  /** Its environment; this process's own when left out. */
  env?: Record<string, string>;
  /** Linux user to run as; the caller's own when left out. */
  user?: string;
  /** Signal the service gets when the command that started it dies, so that a killed test leaves nothing behind. */
  onOwnerDeath: 'QUIT' | 'TERM' | 'KILL';
}

export interface Service {
  readonly name: string;
  readonly pid: number;
  /** True once the process has ended, by itself or by `stop`. */
  hasEnded(): boolean;
  /** Sends the signal and resolves when the process is gone; at once if it already is. */
  stop(signal: NodeJS.Signals): Promise<void>;
  /**
   * Asks `isReady` again and again until it says true.
   *
   * @throws Error quoting the end of the log when the process ends before, or when `timeoutMs` pass
   */
  waitUntil(isReady: () => Promise<boolean>, timeoutMs: number): Promise<void>;
}

/** Starts a long-running program that must not outlive this process. */
export async function startService(options: ServiceOptions): Promise<Service> {
  const log = await open(options.logFile, 'a');
  const identity = options.user ? [`--reuid=${options.user}`, `--regid=${options.user}`, '--init-groups'] : [];
  const child = spawn(
    'setpriv',
    [...identity, `--pdeathsig=${options.onOwnerDeath}`, '--', options.command, ...options.args],
    // A session of its own: Ctrl-C in the terminal is for the owner, which then stops its services in order.
    {
      stdio: ['ignore', log.fd, log.fd],
      detached: true,
      ...(options.env ? { env: { PATH: process.env.PATH, ...options.env } } : {}),
    },
  );
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  await new Promise<void>((resolve, reject) => child.once('spawn', resolve).once('error', reject)).finally(() =>
    log.close(),
  );
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null;
  const stop = async (signal: NodeJS.Signals) => {
    child.kill(signal);
    await exited;
  };
  const waitUntil = async (isReady: () => Promise<boolean>, timeoutMs: number) => {
    const deadline = Date.now() + timeoutMs;
    while (!(await isReady())) {
      if (!hasEnded() && Date.now() < deadline) {
        await delay(25);
        continue;
      }
      const why = hasEnded() ? 'ended before it was ready' : `was not ready after ${timeoutMs / 1000} s`;
      throw new Error(`${options.name} ${why}. Its last lines:\n${await lastLines(options.logFile)}`);
    }
  };
  return { name: options.name, pid: child.pid!, hasEnded, stop, waitUntil };
}

async function lastLines(logFile: string): Promise<string> {
  return (await readFile(logFile, 'utf8')).trimEnd().split('\n').slice(-15).join('\n');
}
