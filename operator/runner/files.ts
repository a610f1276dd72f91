import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../kube/message-of.ts';
import { StepFailure } from './core/failure.ts';
import type { Migration, Operation, Violation } from './core/migrations.ts';

const NAME = /^([0-9A-Za-z][-.0-9A-Za-z]*)_[^/]+$/;
const NO_TRANSACTION = /^--\s*no-transaction\s*$/;

export interface LoadedFiles {
  migrations: Migration[];
  violations: Violation[];
}

/**
 * Reads a folder of migrations: `index.json` gives the order (without it the names do); each is
 * `<revision>_<slug>.up.sql` with an optional `.down.sql`, or a module `<revision>_<slug>.js` or `.mjs`. A first line
 * `-- no-transaction` takes the migration out of the transaction.
 */
export async function loadMigrations(folder: string): Promise<LoadedFiles> {
  const violations: Violation[] = [];
  const invalid = (message: string) => void violations.push({ reason: 'InvalidMigration', message });
  let entries: string[];
  try {
    entries = await readdir(folder);
  } catch (error) {
    invalid(`the folder of the migration files cannot be read: ${messageOf(error)}`);
    return { migrations: [], violations };
  }
  const names = await orderedNames(folder, entries, invalid);
  const migrations: Migration[] = [];
  const seen = new Map<string, string>();
  for (const name of names) {
    const revision = NAME.exec(name)?.[1];
    if (revision === undefined) {
      invalid(`"${name}" is not named <revision>_<slug>`);
      continue;
    }
    if (seen.has(revision)) invalid(`"${name}" and "${seen.get(revision)}" have the same revision`);
    seen.set(revision, name);
    const migration = await loadOne(folder, { name, revision }, entries, invalid);
    if (migration) migrations.push(migration);
  }
  return { migrations, violations };
}

async function orderedNames(folder: string, entries: string[], invalid: (message: string) => void): Promise<string[]> {
  const found = [...new Set(entries.flatMap((entry) => /^(.+?)(?:\.up\.sql|\.m?js)$/.exec(entry)?.[1] ?? []))].sort();
  if (!entries.includes('index.json')) return found;
  try {
    const index = JSON.parse(await readFile(join(folder, 'index.json'), 'utf8')) as { migrations?: unknown };
    const listed = index.migrations;
    if (!Array.isArray(listed) || !listed.every((name) => typeof name === 'string'))
      throw new Error('it has no list "migrations" of names');
    const forgotten = found.filter((name) => !listed.includes(name));
    if (forgotten.length > 0) invalid(`index.json does not list ${forgotten.map((name) => `"${name}"`).join(', ')}`);
    return listed;
  } catch (error) {
    invalid(`index.json cannot be read: ${messageOf(error)}`);
    return found;
  }
}

async function loadOne(
  folder: string,
  { name, revision }: { name: string; revision: string },
  entries: string[],
  invalid: (message: string) => void,
): Promise<Migration | undefined> {
  const module = [`${name}.mjs`, `${name}.js`].find((file) => entries.includes(file));
  const read = (file: string) => readFile(join(folder, file), 'utf8');
  try {
    if (module) {
      const source = await read(module);
      const transactional = !/export\s+(const|let|var)\s+transaction\s*=\s*false\b/.test(source);
      const hasDown = /export\s+(async\s+)?(function|const|let|var)\s+down\b/.test(source);
      const path = join(folder, module);
      return {
        revision,
        name,
        kind: 'js',
        transactional,
        checksum: sha256(source),
        up: path,
        ...(hasDown ? { down: path } : {}),
      };
    }
    if (!entries.includes(`${name}.up.sql`)) {
      invalid(`"${name}" has no file ${name}.up.sql`);
      return undefined;
    }
    const up = await read(`${name}.up.sql`);
    const down = entries.includes(`${name}.down.sql`) ? await read(`${name}.down.sql`) : undefined;
    const transactional = ![up, down ?? ''].some((text) => NO_TRANSACTION.test(text.split('\n', 1)[0]!.trimEnd()));
    return {
      revision,
      name,
      kind: 'sql',
      transactional,
      checksum: sha256(up),
      up,
      ...(down === undefined ? {} : { down }),
    };
  } catch (error) {
    invalid(`"${name}" cannot be read: ${messageOf(error)}`);
    return undefined;
  }
}

/** SHA-256 of what an operation carries out. */
export function checksumOf({ migration, direction }: Operation): string {
  return migration.kind === 'js' || direction === 'up' ? migration.checksum : sha256(migration.down ?? '');
}

/** The kubelet updates the files of a ConfigMap in a running pod, too. */
export function changedSince({ migration }: Operation, judged: string, now: string): StepFailure {
  return new StepFailure(
    'MigrationChanged',
    `the file of migration "${migration.name}" was changed after it was judged before the outage (SHA-256 ${judged.slice(0, 12)}… then, ${now.slice(0, 12)}… now): nobody has seen what it would do. Retry, so that it is judged as it is now`,
  );
}

/**
 * A module is read again by the program that runs it, not from memory.
 *
 * @throws StepFailure MigrationChanged when its file is not the one that was loaded
 */
export async function refuseChangedModule(operation: Operation): Promise<void> {
  const { migration, direction } = operation;
  // What undoes may be mended at any time, and that it cannot be loaded must not keep anybody from undoing otherwise.
  if (migration.kind !== 'js' || direction === 'down') return;
  const now = sha256(await readFile(migration.up, 'utf8').catch(() => ''));
  if (now !== migration.checksum) throw changedSince(operation, migration.checksum, now);
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
