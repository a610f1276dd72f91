import { createInterface } from 'node:readline';
import { execa } from 'execa';
import { endsWithUs } from '../../e2e/cluster/ends-with-us.ts';
import type { Cluster } from '../../e2e/cluster/provider.ts';

/** A command that goes on until it is told to end. */
export interface Follower {
  hasEnded(): boolean;
  /** The end of what it wrote to standard error, for a message. */
  problem(): string;
  /** Ends its standard input and waits for its end. */
  endInput(): Promise<void>;
  /** Ends it and waits for that. */
  kill(): Promise<void>;
}

/** Starts a command where the cluster can be reached and hands each line that it writes on as soon as it comes. */
export function followLines(cluster: Cluster, command: string[], onLine: (line: string) => void): Follower {
  const [program, ...args] = [...endsWithUs('TERM'), ...cluster.nsenterPrefix, ...command] as [string, ...string[]];
  const child = execa(program, args, { env: cluster.env, stdin: 'pipe', buffer: { stdout: false }, reject: false });
  let ended = false;
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  const lines = createInterface({ input: child.stdout });
  lines.on('line', onLine);
  const allRead = new Promise<void>((resolve) => lines.once('close', resolve));
  const exited = child.then(() => {
    ended = true;
  });
  const untilEnd = async () => {
    await exited;
    await allRead;
  };
  return {
    hasEnded: () => ended,
    problem: () => errors.trim().split('\n').slice(-5).join('\n'),
    endInput: () => {
      child.stdin.end();
      return untilEnd();
    },
    kill: () => {
      child.kill();
      return untilEnd();
    },
  };
}
