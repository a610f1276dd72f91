import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cloneRoot } from '../cluster/paths.ts';
import { TEMPORARY_LABEL } from './site.ts';

/** Name of the planner's migration 92023c163a26 without `.up.sql`. */
export const TRANSFORM = '92023c163a26_transform_phases_to_user_definable';

/** New text of a migration file, from the one in migrations/sql (empty when there is none); undefined removes it. */
export type FileChanges = Record<string, (text: string) => string | undefined>;

/** A ConfigMap with the planner's migrations, changed as a scenario needs it. */
export async function migrationsConfigMap(name: string, changes: FileChanges): Promise<object> {
  const folder = join(cloneRoot, 'migrations', 'sql');
  const data: Record<string, string> = {};
  for (const file of await readdir(folder)) data[file] = await readFile(join(folder, file), 'utf8');
  for (const [file, change] of Object.entries(changes)) {
    const text = change(data[file] ?? '');
    if (text === undefined) delete data[file];
    else data[file] = text;
  }
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, labels: { [TEMPORARY_LABEL]: '' } }, data };
}

/** Adds a migration to the end of `index.json`. */
export function andThen(migration: string): FileChanges[string] {
  return (text) => {
    const index = JSON.parse(text) as { migrations: string[] };
    return JSON.stringify({ migrations: [...index.migrations, migration] });
  };
}
