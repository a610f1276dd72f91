import { glob } from 'node:fs/promises';
import { basename } from 'node:path';
import { cloneRoot } from '../cluster/paths.ts';

/** What a test needs, told by its file's name; `faults` is a stage without test files. */
export type TestKind = 'unit' | 'postgres' | 'apiserver' | 'faults' | 'cluster';

/**
 * The kind of a test file: `x.postgres.test.ts` needs a real PostgreSQL, `x.apiserver.test.ts` a real API server,
 * `x.scenario.ts` a whole cluster, any other `x.test.ts` nothing. `postgres.test.ts` and `control-plane.test.ts`, which
 * test those services themselves, need them too.
 */
export function kindOf(file: string): TestKind | undefined {
  const name = basename(file);
  if (name.endsWith('.scenario.ts')) return 'cluster';
  if (!name.endsWith('.test.ts')) return undefined;
  if (/(^|\.)postgres\.test\.ts$/.test(name)) return 'postgres';
  if (/(^|\.)(apiserver|control-plane)\.test\.ts$/.test(name)) return 'apiserver';
  return 'unit';
}

/** All test files of a kind, relative to the clone, in alphabetical order. */
export async function testFiles(kind: TestKind): Promise<string[]> {
  const files: string[] = [];
  const exclude = (path: string) => ['node_modules', 'dist', '.git'].includes(basename(path));
  for await (const file of glob('**/*.ts', { cwd: cloneRoot, exclude })) if (kindOf(file) === kind) files.push(file);
  return files.sort();
}
