import { statfs } from 'node:fs/promises';
import type { PreflightFacts } from '../core/preflight.ts';
import { chooseRestorePoint } from '../core/restore-point-choice.ts';
import { loadMigrations } from '../files.ts';
import { clientProgram } from '../postgres/client-programs.ts';
import { readLedger } from '../postgres/ledger.ts';
import { identifier, literal } from '../postgres/identifiers.ts';
import { readDatabaseSettings, statementsFor } from '../postgres/database-settings.ts';
import { describeDatabaseError, sqlState, type Row, type Session } from '../postgres/session.ts';
import { judgeMigration } from '../sql.ts';
import { warn, type Work } from '../work.ts';
import { readUnrestorable } from './archive-facts.ts';
import { readClientRoles, readOtherLogins } from './client-role-facts.ts';

/** Looks up everything that the preflight judges. */
export async function gatherFacts(work: Work, target: Session): Promise<PreflightFacts> {
  const { maintenance, names, spec } = work;
  const loaded = await loadMigrations(work.folders.migrations);
  const syntax = (await Promise.all(loaded.migrations.map(judgeMigration))).flat();
  const role = await readRole(maintenance);
  const sizeBytes = Number(
    (await maintenance.one('SELECT pg_catalog.pg_database_size($1::name) AS size', [names.target]))['size'],
  );
  const disks = await readDisks(work, role.name);
  return {
    spec,
    database: names.target,
    server: { major: maintenance.major, text: (await maintenance.one('SHOW server_version'))['server_version']! },
    hasPgDump: (await clientProgram('pg_dump', maintenance.major)) !== undefined,
    role,
    owner: await readOwner(maintenance, names.target),
    clientRoles: await readClientRoles(maintenance, spec.plan.database.clientRoles),
    otherLogins: await readOtherLogins(maintenance, names.target, spec.plan.database.clientRoles),
    ...(await readObstacles(maintenance, names.target)),
    sizeBytes,
    disks,
    ledger: await readLedger(target),
    files: loaded.migrations,
    fileViolations: [...loaded.violations, ...syntax],
    restorePoint: chooseRestorePoint({
      wanted: spec.plan.rollback.restorePoint,
      freeDiskFactor: spec.plan.preflight.freeDiskFactor,
      sizeBytes,
      serverFreeBytes: disks.server,
    }),
    settingsRefused: await rehearseSettings(maintenance, names.target),
    unrestorable: await readUnrestorable(target, role),
  };
}

/** Does to the database what putting a restore point back does to the copy, and takes it back at once. */
async function rehearseSettings(session: Session, database: string): Promise<string[]> {
  const refused: string[] = [];
  const statements = statementsFor(database, await readDatabaseSettings(session, database));
  await session.query('BEGIN');
  for (const statement of statements) {
    await session.query('SAVEPOINT phasemigration_settings');
    try {
      await session.query(statement);
    } catch (error) {
      if (sqlState(error) === undefined) throw error;
      refused.push(`${statement}: ${describeDatabaseError(error)}`);
      await session.query('ROLLBACK TO SAVEPOINT phasemigration_settings');
    }
  }
  await session.query('ROLLBACK');
  return refused;
}

async function readRole(session: Session): Promise<PreflightFacts['role']> {
  const row = await session.one(
    `SELECT rolname::text AS name, rolsuper, rolcreatedb, rolcreaterole,
       pg_catalog.pg_has_role(CURRENT_USER, 'pg_signal_backend', 'USAGE') AS signal
     FROM pg_catalog.pg_roles WHERE rolname = CURRENT_USER`,
  );
  return {
    name: row['name']!,
    superuser: isTrue(row, 'rolsuper'),
    createDatabase: isTrue(row, 'rolcreatedb'),
    createRole: isTrue(row, 'rolcreaterole'),
    signalBackend: isTrue(row, 'signal'),
  };
}

function isTrue(row: Row, column: string): boolean {
  return row[column] === 't';
}

async function readOwner(session: Session, database: string): Promise<PreflightFacts['owner']> {
  const row = await session.one(
    `SELECT pg_catalog.pg_get_userbyid(datdba)::text AS name, pg_catalog.pg_has_role(CURRENT_USER, datdba, 'USAGE') AS may
     FROM pg_catalog.pg_database WHERE datname = $1`,
    [database],
  );
  return { name: row['name']!, mayAct: isTrue(row, 'may') };
}

async function readObstacles(
  session: Session,
  database: string,
): Promise<Pick<PreflightFacts, 'preparedTransactions' | 'replication'>> {
  const prepared = await session.query(
    'SELECT gid, owner::text AS owner FROM pg_catalog.pg_prepared_xacts WHERE database = $1',
    [database],
  );
  const slots = await session.query(
    'SELECT slot_name::text AS name FROM pg_catalog.pg_replication_slots WHERE database = $1',
    [database],
  );
  // pg_subscription's columns are readable one by one since not everybody may see its connection string.
  const subscriptions = await session.query(
    `SELECT s.subname::text AS name FROM pg_catalog.pg_subscription s JOIN pg_catalog.pg_database d ON d.oid = s.subdbid WHERE d.datname = $1`,
    [database],
  );
  return {
    preparedTransactions: prepared.map((row) => `"${row['gid']}" of role "${row['owner']}"`),
    replication: [
      ...slots.map((row) => `replication slot "${row['name']}"`),
      ...subscriptions.map((row) => `subscription "${row['name']}"`),
    ],
  };
}

async function readDisks(work: Work, role: string): Promise<PreflightFacts['disks']> {
  const volume = await statfs(work.folders.backup);
  const server = await serverFreeBytes(work.maintenance);
  if (server === undefined)
    warn(
      work.reporter,
      `Free disk of the server was not measured: role "${role}" lacks pg_execute_server_program or pg_read_all_settings.`,
    );
  return { backupVolume: volume.bavail * volume.bsize, server };
}

/** PostgreSQL itself does not tell free disk: only `df`, run by the server for those who may have programs run. */
async function serverFreeBytes(session: Session): Promise<number | undefined> {
  const table = identifier('phasemigration_df');
  try {
    const folder = (await session.one('SHOW data_directory'))['data_directory']!;
    const command = `df -Pk '${folder.replaceAll("'", `'\\''`)}' | tail -n 1`;
    await session.query(
      `BEGIN; CREATE TEMPORARY TABLE ${table} (line text) ON COMMIT DROP; COPY ${table} FROM PROGRAM ${literal(command)}`,
    );
    const line = (await session.one(`SELECT line FROM pg_temp.${table}`))['line'] ?? '';
    const free = Number(line.trim().split(/\s+/)[3]) * 1024;
    return Number.isFinite(free) ? free : undefined;
  } catch (error) {
    // Not allowed, or no such program on the server.
    if (sqlState(error) === undefined) throw error;
    return undefined;
  } finally {
    await session.query('ROLLBACK');
  }
}
