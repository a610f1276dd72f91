import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { glob, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { Listr } from 'listr2';
import { cloneRoot } from '../cluster/paths.ts';
import type { TestResult } from './results.ts';

interface SourceCheck {
  title: string;
  /** @throws Error whose message says what is wrong and what to do */
  run: (signal: AbortSignal) => Promise<void>;
}

/** Everything that is checked without running the product, in the order in which it is told. */
const sourceChecks: SourceCheck[] = [
  { title: 'generated files are up to date', run: generatedFilesAreUpToDate },
  { title: 'types', run: tool('tsc', ['--noEmit', '--pretty', String(process.stdout.isTTY ?? false)]) },
  { title: 'lint', run: tool('eslint', ['.', '--max-warnings', '0']) },
  { title: 'format (npm run format puts it right)', run: tool('prettier', ['--check', '--log-level', 'warn', '.']) },
  { title: 'import borders', run: importBorders },
];

/** Runs all source checks, two at a time, each told as it ends; one that fails does not keep the others from running. */
export async function runSourceChecks(signal: AbortSignal): Promise<TestResult[]> {
  const results = new Map<SourceCheck, TestResult>();
  const [generate, ...others] = sourceChecks as [SourceCheck, ...SourceCheck[]];
  const run = (checks: SourceCheck[]) =>
    new Listr(
      checks.map((check) => ({
        title: check.title,
        skip: () => signal.aborted && 'interrupted',
        task: async (_, task) => {
          const result = await timed(check, signal);
          // Nothing is known of a check that was cut off.
          if (signal.aborted) return task.skip('interrupted');
          results.set(check, result);
          if (result.outcome === 'failed') throw new Error(result.message);
        },
      })),
      // The signal is handled once, in main.ts: listr2 would end the process before anything is told.
      { concurrent: 2, exitOnError: false, registerSignalListeners: false, rendererOptions: { collapseErrors: false } },
    ).run();
  // The other checks read what it writes.
  await run([generate]);
  if (!signal.aborted) await run(others);
  return sourceChecks.flatMap((check) => results.get(check) ?? []);
}

async function timed(check: SourceCheck, signal: AbortSignal): Promise<TestResult> {
  const start = performance.now();
  const base = () => ({ title: check.title, milliseconds: performance.now() - start });
  try {
    await check.run(signal);
    return { ...base(), outcome: 'passed' };
  } catch (error) {
    return { ...base(), outcome: 'failed', message: (error as Error).message };
  }
}

function tool(name: string, args: string[]) {
  return async (signal: AbortSignal) => {
    const program = join(cloneRoot, 'node_modules', '.bin', name);
    const options = { cwd: cloneRoot, all: true, reject: false, stdin: 'ignore', cancelSignal: signal } as const;
    const { exitCode, all, shortMessage } = await execa(program, args, options);
    if (exitCode !== 0) throw new Error(all?.trim() || shortMessage);
  };
}

async function importBorders(signal: AbortSignal): Promise<void> {
  const rooms = ['operator', 'migrations', 'examples', 'e2e', 'bench', 'faults', 'setup'];
  const existing = rooms.filter((room) => existsSync(join(cloneRoot, room)));
  await tool('depcruise', ['--config', '.dependency-cruiser.cjs', '--output-type', 'err', ...existing])(signal);
}

async function generatedFilesAreUpToDate(signal: AbortSignal): Promise<void> {
  const before = await hashes();
  await tool('node', ['operator/api/generate.ts'])(signal);
  const after = await hashes();
  const names = new Set([...before.keys(), ...after.keys()]);
  const changed = [...names].filter((name) => before.get(name) !== after.get(name)).sort();
  if (changed.length > 0)
    throw new Error(
      `These files were not what 'npm run generate' makes of operator/api: ${changed.join(', ')}. They have been written again; commit them.`,
    );
}

async function hashes(): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for await (const file of glob(['crds/*.yaml', 'charts/*/files/crds/*.yaml', 'docs/api-reference.md'], {
    cwd: cloneRoot,
  }))
    found.set(
      file,
      createHash('sha256')
        .update(await readFile(join(cloneRoot, file)))
        .digest('hex'),
    );
  return found;
}
