import { readFile } from 'node:fs/promises';
import { load } from 'js-yaml';
import { Client, DatabaseError } from 'pg';

/** What a check expects of its query; without one, the value "0". See README.md for the meaning of each. */
export type Expectation = { value: string } | { rows: number } | { error: string } | { min: string };

export interface Check {
  name: string;
  query: string;
  expect?: Expectation;
  message?: string;
}

export interface Snapshot {
  name: string;
  query: string;
  /** Asked instead of `query` after the migration, where the schema no longer has what `query` names. */
  queryAfter?: string;
}

export const baseRevision = '000000000000';
export const oldRevision = '976e6adbac6f';
export const newRevision = '92023c163a26';

const here = (path: string) => new URL(path, import.meta.url);

/** Names of all migrations (`REVISION_slug`), in the order in which they are applied. */
export async function migrationNames(): Promise<string[]> {
  const index = JSON.parse(await readFile(here('sql/index.json'), 'utf8')) as { migrations: string[] };
  return index.migrations;
}

/** Name of the migration with this revision. */
export async function migrationName(revision: string): Promise<string> {
  const name = (await migrationNames()).find((candidate) => candidate.startsWith(`${revision}_`));
  if (!name) throw new Error(`There is no migration with the revision ${revision} in sql/index.json.`);
  return name;
}

/** The checks of `checks/NAME.yaml`. */
export async function loadChecks(name: 'preflight' | 'forward' | 'rollback' | 'figures'): Promise<Check[]> {
  return load(await readFile(here(`checks/${name}.yaml`), 'utf8')) as Check[];
}

export async function loadSnapshots(): Promise<Snapshot[]> {
  return load(await readFile(here('checks/snapshots.yaml'), 'utf8')) as Snapshot[];
}

/** Runs `seed/NAME.sql` in the session of `client`. */
export async function seed(client: Client, name: string): Promise<void> {
  await client.query(await readFile(here(`seed/${name}.sql`), 'utf8'));
}

/**
 * Runs one direction of one migration in a transaction of its own, without a ledger.
 *
 * @returns the messages that the migration raised, in order
 * @throws the DatabaseError of the failing statement, after everything was rolled back
 */
export async function migrate(client: Client, revision: string, direction: 'up' | 'down'): Promise<string[]> {
  const sql = await readFile(here(`sql/${await migrationName(revision)}.${direction}.sql`), 'utf8');
  const messages: string[] = [];
  const listen = (notice: { message: string | undefined }) => messages.push(notice.message ?? '');
  client.on('notice', listen);
  try {
    await client.query('BEGIN');
    await client.query(sql);
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK');
    throw error;
  } finally {
    client.off('notice', listen);
  }
  return messages;
}

/** Brings an empty database to the schema of the old backend (976e6adbac6f). */
export async function installOldSchema(client: Client): Promise<void> {
  await migrate(client, baseRevision, 'up');
  await migrate(client, oldRevision, 'up');
}

/** Whether the check's query answers as the check expects. An error counts as an answer only where one is expected. */
export async function passes(client: Client, check: Check): Promise<boolean> {
  const expected: Expectation = check.expect ?? { value: '0' };
  const answer = await ask(client, check.query);
  if ('error' in expected) return 'error' in answer && answer.error === expected.error;
  if ('error' in answer) return false;
  if ('rows' in expected) return answer.rows.length === expected.rows;
  const value = answer.rows.length === 1 ? answer.rows[0]?.[0] : undefined;
  if (value === undefined || value === null) return false;
  return 'value' in expected ? value === expected.value : Number(value) >= Number(expected.min);
}

/** Names of those checks that do not pass, in their order. */
export async function failing(client: Client, checks: Check[]): Promise<string[]> {
  const names: string[] = [];
  for (const check of checks) if (!(await passes(client, check))) names.push(check.name);
  return names;
}

/** The rows of every snapshot, as text; `after` asks for the figures of the migrated schema. */
export async function takeSnapshots(client: Client, when: 'before' | 'after'): Promise<Record<string, unknown>> {
  const figures: Record<string, unknown> = {};
  for (const { name, query, queryAfter } of await loadSnapshots()) {
    const answer = await ask(client, when === 'after' ? (queryAfter ?? query) : query);
    if ('error' in answer) throw new Error(`The snapshot ${name} failed with SQLSTATE ${answer.error}.`);
    figures[name] = answer.rows;
  }
  return figures;
}

type Answer = { rows: (string | null)[][] } | { error: string };

async function ask(client: Client, query: string): Promise<Answer> {
  const asText = { getTypeParser: () => (value: string) => value };
  try {
    const result = await client.query<(string | null)[]>({ text: query, rowMode: 'array', types: asText });
    return { rows: result.rows };
  } catch (error) {
    if (error instanceof DatabaseError && error.code) return { error: error.code };
    throw error;
  }
}
