import { identifier } from './identifiers.ts';
import type { Session } from './session.ts';

export async function databaseExists(session: Session, database: string): Promise<boolean> {
  return (await session.query('SELECT 1 FROM pg_catalog.pg_database WHERE datname = $1', [database])).length > 0;
}

/**
 * Copies a database, file by file: the checkpoints that this waits for leave nothing to be written when the copy is
 * dropped, while users are back. Before version 15 it was the only way and could not be named. Needs that nobody but
 * the asking session is connected to it.
 */
export async function cloneDatabase(
  session: Session,
  { source, clone }: { source: string; clone: string },
): Promise<void> {
  const strategy = session.major < 15 ? '' : ' STRATEGY file_copy';
  await session.query(`CREATE DATABASE ${identifier(clone)} TEMPLATE ${identifier(source)}${strategy}`);
}

/** Drops a database of ours. Sessions on it (only our own can be there) are ended first. */
export async function dropDatabase(session: Session, database: string): Promise<void> {
  await session.query(
    'SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE datname = $1 AND pid <> pg_catalog.pg_backend_pid()',
    [database],
  );
  // A restore point is a template database where the original is one; a half-dropped database must not be altered.
  const template = 'SELECT 1 FROM pg_catalog.pg_database WHERE datname = $1 AND datistemplate';
  if ((await session.query(template, [database])).length > 0)
    await session.query(`ALTER DATABASE ${identifier(database)} IS_TEMPLATE false`);
  await session.query(`DROP DATABASE IF EXISTS ${identifier(database)}`);
}

/** Renames several databases at once: either all have their new names or none. Nobody may be connected to them. */
export async function renameDatabases(
  session: Session,
  renames: [from: string, to: string][],
  also: string[] = [],
): Promise<void> {
  const statements = renames.map(([from, to]) => `ALTER DATABASE ${identifier(from)} RENAME TO ${identifier(to)}`);
  // One message is one transaction.
  await session.query([...statements, ...also].join(';'));
}
