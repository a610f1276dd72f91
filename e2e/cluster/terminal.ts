import { writeSync } from 'node:fs';
import { Listr, PRESET_TIMER } from 'listr2';
import type { Progress } from './progress.ts';

/**
 * Shows what `work` reports while it runs: a spinner with the steps below it in a terminal, plain lines elsewhere.
 * Resolves and rejects as `work` does.
 */
export async function withProgress<T>(title: string, work: (progress: Progress) => Promise<T>): Promise<T> {
  const begin = Date.now();
  const tasks = new Listr<{ result?: { value: T } }>(
    {
      title,
      task: async (context, task) => {
        context.result = {
          value: await work((line) => {
            task.output = `${seconds(begin)} ${line}`;
          }),
        };
      },
      rendererOptions: { persistentOutput: true, outputBar: Infinity },
    },
    {
      fallbackRenderer: 'simple',
      rendererOptions: { timer: PRESET_TIMER, collapseErrors: false },
      fallbackRendererOptions: { timer: PRESET_TIMER },
    },
  );
  const { result } = await tasks.run({});
  if (!result) throw new Error(`${title}: ended without a result.`);
  return result.value;
}

const SHOW_CURSOR = '\x1b[?25h';
const seconds = (begin: number) => `${((Date.now() - begin) / 1000).toFixed(0).padStart(4)} s `;

/**
 * Runs a command's main function: an error is printed as its sentence without a stack and ends the process with 1; so
 * does Ctrl-C with 130, saying that nothing has to be tidied up.
 */
export async function main(work: () => Promise<void>): Promise<void> {
  process.once('SIGINT', () => {
    // Past process.stdout and process.stderr: while tasks are shown, listr2 keeps what is written there to itself.
    if (process.stdout.isTTY) writeSync(process.stdout.fd, SHOW_CURSOR);
    writeSync(process.stderr.fd, '\nInterrupted. What is half-done is recognised and repaired by the next command.\n');
    process.exit(130);
  });
  try {
    await work();
  } catch (error) {
    console.error(`\n${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  }
}
