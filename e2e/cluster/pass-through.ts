import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import type { Cluster } from './cluster.ts';

/**
 * Runs a command on the cluster with this process's own input and output.
 *
 * @returns its exit code; 128 + number when a signal ended it
 */
export function passThrough(cluster: Cluster, command: string[]): Promise<number> {
  const [program, ...args] = [...cluster.nsenterPrefix, ...command] as [string, ...string[]];
  const child = spawn(program, args, { stdio: 'inherit', env: { ...process.env, ...cluster.env } });
  // The terminal sends Ctrl-C to both; the command alone decides what it means (psql: end the query and stay).
  process.removeAllListeners('SIGINT');
  process.on('SIGINT', () => undefined);
  for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(signal ? 128 + constants.signals[signal] : (code ?? 1)));
  });
}
