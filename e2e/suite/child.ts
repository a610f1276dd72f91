import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { cacheFolder } from '../cluster/paths.ts';

export interface ChildOptions {
  cwd: string;
  env?: NodeJS.ProcessEnv;
  /** Where the output goes; the terminal if left out. */
  output?: 'inherit' | 'ignore';
  /** Ends the child and everything it started. */
  signal: AbortSignal;
}

export interface RunningChild {
  /** Resolves with how it ended, as the end of a sentence: `ended with exit code 1`. Never rejects. */
  ended: Promise<string>;
  /** Ends the child's whole process group, first asking, after ten seconds by force. */
  kill(): void;
}

const politeMs = 10_000;

/**
 * Starts a program in a process group of its own: Ctrl-C reaches only this process,
 * which then ends its children in order and cleans up.
 */
export function runChild(command: string, args: string[], options: ChildOptions): RunningChild {
  const child = spawn(command, args, {
    cwd: options.cwd,
    // Loading the TypeScript sources anew takes most of the time of a short process.
    env: { NODE_COMPILE_CACHE: join(cacheFolder(), 'compile-cache'), ...process.env, ...options.env },
    stdio: ['ignore', options.output ?? 'inherit', options.output ?? 'inherit'],
    detached: true,
  });
  let force: NodeJS.Timeout | undefined;
  const signalGroup = (signal: NodeJS.Signals) => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, signal);
    } catch (error) {
      // Gone already: that is what was wanted.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  };
  const kill = () => {
    signalGroup('SIGTERM');
    force ??= setTimeout(() => signalGroup('SIGKILL'), politeMs);
  };
  options.signal.addEventListener('abort', kill, { once: true });
  if (options.signal.aborted) kill();
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(`could not be started (${error.message})`));
    child.once('exit', (code, signal) =>
      resolve(signal ? `was ended by signal ${signal}` : `ended with exit code ${code}`),
    );
  }).finally(() => {
    clearTimeout(force);
    options.signal.removeEventListener('abort', kill);
    // What the tests started and forgot would disturb the next stage.
    signalGroup('SIGKILL');
  });
  return { ended, kill };
}
