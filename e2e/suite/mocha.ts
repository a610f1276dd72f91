import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { cloneRoot } from '../cluster/paths.ts';
import { makeThrowawayFolder } from '../cluster/throwaway.ts';
import { runChild } from './child.ts';
import { END_OF_RUN } from './reporter.ts';
import type { TestResult } from './results.ts';

export interface MochaRun {
  /** Paths relative to the clone. */
  files: string[];
  /** Time that a test has unless it sets its own. */
  timeoutMs: number;
  /** Files that run at the same time, each in a process of its own; their output comes file by file. */
  jobs?: number;
  grep?: string;
  env?: NodeJS.ProcessEnv;
  /** How long the process may live after its last test; longer means that a test left something running. */
  lingerMs?: number;
  /** Where the output goes; the terminal if left out. */
  output?: 'inherit' | 'ignore';
  signal: AbortSignal;
}

/**
 * Runs the files in one mocha process whose output goes straight to the terminal.
 *
 * @returns every result; a run that was cut off, could not load a file or did not end has one failed result more that
 *   says so, so that a crash never looks like success
 */
export async function runMocha(run: MochaRun): Promise<TestResult[]> {
  const record = join(await makeThrowawayFolder('suite'), 'results.jsonl');
  const args = [
    // Optimising the WebAssembly of the SQL parser, in each of so many processes, takes longer than it saves.
    '--liftoff-only',
    '--disable-warning=ExperimentalWarning',
    mochaProgram(),
    ...['--no-config', '--no-package', '--no-exit', '--forbid-only', '--timeout', String(run.timeoutMs)],
    ...['--reporter', join(import.meta.dirname, 'reporter.ts'), '--reporter-option', `file=${record}`],
    ...(run.jobs ? ['--parallel', '--jobs', String(run.jobs)] : []),
    ...(run.grep ? ['--grep', run.grep] : []),
    ...run.files,
  ];
  const { env, signal, output, lingerMs = 20_000 } = run;
  const child = runChild(process.execPath, args, { cwd: cloneRoot, env, signal, output });
  const stopWatching = watchForLinger(record, lingerMs, () => child.kill());
  const ended = await child.ended;
  const lingered = stopWatching();
  const { results, complete } = await readRecord(record);
  if ((complete && !lingered) || signal.aborted) return results;
  const message = lingered
    ? `The test process was alive ${lingerMs / 1000} s after its last test: a test left a server, socket or timer open.`
    : `The test process ${ended} before its tests had ended.`;
  return [...results, { title: 'the test process', outcome: 'failed', milliseconds: 0, message }];
}

function mochaProgram(): string {
  const manifest = createRequire(import.meta.url).resolve('mocha/package.json');
  return join(manifest, '..', 'bin', 'mocha.js');
}

async function readRecord(file: string): Promise<{ results: TestResult[]; complete: boolean }> {
  const text = await readFile(file, 'utf8').catch(() => '');
  const entries = text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as TestResult | typeof END_OF_RUN);
  return { results: entries.filter((entry) => typeof entry === 'object'), complete: entries.includes(END_OF_RUN) };
}

/** Calls `kill` when the process lives on after the end of its tests; the returned function ends the watch. */
function watchForLinger(file: string, lingerMs: number, kill: () => void): () => boolean {
  let endSeen: number | undefined;
  let lingered = false;
  const timer = setInterval(() => void look(), Math.min(1000, lingerMs));
  const look = async () => {
    if (endSeen === undefined && (await readRecord(file)).complete) endSeen = Date.now();
    if (endSeen === undefined || Date.now() - endSeen < lingerMs || lingered) return;
    lingered = true;
    kill();
  };
  return () => {
    clearInterval(timer);
    return lingered;
  };
}
