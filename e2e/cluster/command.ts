import { execa } from 'execa';
import { endsWithUs } from './ends-with-us.ts';

export interface CommandOptions {
  cwd?: string;
  /** Added to the environment of this process. */
  env?: Record<string, string>;
  /** Written to the command's standard input, which is empty otherwise. */
  input?: string;
  /** Resolve on any exit code instead of rejecting on all but 0. */
  allowFailure?: boolean;
  /** Is given each line of output as it appears. */
  onLine?: (line: string) => void;
}

export interface CommandResult {
  stdout: string;
  stderr: string;
  /** Exit code; 127 when the program does not exist, 128 + number when a signal ended it. */
  code: number;
}

/**
 * Runs a command to its end and collects its output.
 *
 * @throws Error naming the command and quoting its last lines, unless `allowFailure` is set
 */
export async function run(command: string[], options: CommandOptions = {}): Promise<CommandResult> {
  const [program, ...args] = [...endsWithUs('KILL'), ...command] as [string, ...string[]];
  const child = execa(program, args, {
    ...(options.cwd ? { cwd: options.cwd } : {}),
    ...(options.env ? { env: options.env } : {}),
    ...(options.input === undefined ? { stdin: 'ignore' as const } : { input: options.input }),
    all: true,
    reject: false,
  });
  if (options.onLine) for await (const line of child.iterable({ from: 'all' })) options.onLine(line);
  const result = await child;
  const code = result.exitCode ?? (result.code === 'ENOENT' ? 127 : 137);
  if (code !== 0 && !options.allowFailure)
    throw new Error(failure(command, code, `${result.all}\n${result.originalMessage ?? ''}`));
  return { stdout: String(result.stdout), stderr: String(result.stderr), code };
}

/** The sentence for people about a command that failed, with the last lines of its output. */
export function failure(command: string[], code: number, output: string): string {
  const end = output
    .split('\n')
    .filter((line) => line.trim() !== '')
    .slice(-15)
    .join('\n');
  return `'${command.join(' ')}' failed (exit code ${code}). Its last lines:\n${end || '(none)'}`;
}
