import { readdir } from 'node:fs/promises';
import { execa } from 'execa';
import type { Postgres } from '../../e2e/cluster/postgres.ts';
import { lockKey } from '../../operator/runner/core/names.ts';
import type { Scenario } from '../../operator/runner/testing/scenario.ts';
import { differences } from '../differences.ts';
import { FIRST_ROW } from './application.ts';

/** Everything that a run may leave, without what differs from run to run: names by chance, times, rows of clients. */
export interface EndState {
  /** Content and settings of the database. */
  database: { schema: string[]; ledger: string; ledgerBegins: string; rows: string };
  databases: string[];
  roles: string[];
  sessions: string;
  locks: string;
  /** What the server's fixed place says of who works on the database. */
  holder: string[];
  files: string[];
  run: Record<string, unknown>;
}

const PG_DUMP = '/usr/lib/postgresql/15/bin/pg_dump';

/** Reads what is there now; nobody may be working on it. */
export async function readEndState(server: Postgres, scenario: Scenario): Promise<EndState> {
  const { database, owner, client } = scenario;
  const lines = async (sql: string) => (await server.psql(sql)).split('\n').filter(Boolean).map(withoutChance);
  const keys = [lockKey('database', database), lockKey('role', client)];
  return {
    database: await readDatabase(server, scenario),
    databases: await lines(`SELECT datname FROM pg_database WHERE datname ~ '^${database}($|_)' ORDER BY 1`),
    roles: await lines(
      `SELECT rolname, rolcanlogin, rolconnlimit, rolconfig FROM pg_roles WHERE rolname IN ('${owner}', '${client}') ORDER BY 1`,
    ),
    sessions: withoutChance(await scenario.sessions()),
    locks: await server.psql(
      `SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND ((classid::int8 << 32) | objid::int8) IN (${keys.join(', ')})`,
    ),
    holder: await lines(`SELECT holder, step FROM phasemigration.holder WHERE database = '${database}'`),
    files: await readFiles(scenario.folders.backup),
    run: readRun(scenario),
  };
}

async function readDatabase(server: Postgres, { database }: Scenario): Promise<EndState['database']> {
  const dump = ['--create', '--schema-only', `--dbname=${server.adminUrl(database)}`];
  const { stdout } = await execa(PG_DUMP, dump);
  // Two lines hold a random key.
  const schema = stdout.split('\n').filter((line) => line !== '' && !/^(--|\\(un)?restrict )/.test(line));
  const ask = (sql: string) => server.psql(sql, database);
  const amount = await ask(
    `SELECT attname FROM pg_attribute WHERE attrelid = 'public.item'::regclass AND attname IN ('amount', 'price')`,
  );
  return {
    schema: schema.map(withoutChance),
    ledger: await ask(
      `SELECT string_agg(revision || ' ' || direction || ' ' || state, ', ' ORDER BY id) FROM phasemigration.ledger`,
    ),
    ledgerBegins: await ask('SELECT id, finished_at, checksum FROM phasemigration.ledger ORDER BY id LIMIT 1'),
    rows: await ask(`SELECT count(*) || ' ' || sum("${amount}") FROM public.item WHERE id < ${FIRST_ROW}`),
  };
}

async function readFiles(folder: string): Promise<string[]> {
  const found = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = found.filter((entry) => entry.isFile());
  return files.map(({ parentPath, name }) => withoutChance(`${parentPath.slice(folder.length)}/${name}`)).sort();
}

function readRun({ memory }: Scenario): EndState['run'] {
  const { databaseChanged, reachedGoal, fence, restorePoint, steps = [] } = memory.runner;
  return {
    ...{ databaseChanged, reachedGoal, fence: fence?.state, restorePoint: restorePoint?.state },
    running: steps.filter(({ state }) => state === 'Running').map(({ name }) => name),
  };
}

/** Names carry numbers and hashes. */
function withoutChance(text: string): string {
  return text
    .replace(/\b(shop|migrator|app)[ _]\d+/g, '$1 N')
    .replace(/rename-amount-\d+/g, 'RUN')
    .replace(/([-_])[0-9a-f]{8}(?=[-/._" ]|$)/g, '$1HASH')
    .replace(/\/\d+\.dat/g, '/N.dat');
}

/**
 * How a run has ended. Reference: as the one without a fault. Undone: as if it had never been. UndoneByDown: the same,
 * but the ledger says that it was applied and undone.
 */
export type End = 'Reference' | 'Undone' | 'UndoneByDown';

export interface Reference {
  /** Before the run began. */
  initial: EndState;
  end: EndState;
}

const APPLIED_AND_UNDONE = /^, (0002 up started, )?0002 up applied, (0002 down started, )?0002 down applied$/;
/** What may lie on the backup volume after a run: its backup with what is beside it. */
const KEPT = /\/(schema-before\.json|shop N-HASH-0001\.dump(\.json|\.sha256|\.\w+\.sql|\/(N\.dat(\.gz)?|toc\.dat))?)$/;

/** @returns undefined when it is none of them */
export function endOf({ initial, end }: Reference, found: EndState): End | undefined {
  if (differences(withoutMoment(end), withoutMoment(found)).length === 0) return 'Reference';
  if (isUndone(initial, found)) return 'Undone';
  const { ledger } = found.database;
  const before = initial.database.ledger;
  if (!ledger.startsWith(before) || !APPLIED_AND_UNDONE.test(ledger.slice(before.length))) return undefined;
  return isUndone(initial, { ...found, database: { ...found.database, ledger: before } }) ? 'UndoneByDown' : undefined;
}

/** When the first row of the ledger was written is of each run its own. */
function withoutMoment(state: EndState): EndState {
  return { ...state, database: { ...state.database, ledgerBegins: '' } };
}

/** What makes a state differ from that before the run, one line each; empty: nothing. */
export function traces(initial: EndState, found: EndState): string[] {
  const { files, run, ...server } = found;
  const { files: _files, run: _run, ...before } = initial;
  const wanted = { databaseChanged: 'No', reachedGoal: 'Finished', running: [] };
  return [
    ...differences(withoutMoment({ ...before, files: [], run: {} }), withoutMoment({ ...server, files: [], run: {} })),
    ...differences(wanted, {
      databaseChanged: run.databaseChanged,
      reachedGoal: run.reachedGoal,
      running: run.running,
    }),
    ...([undefined, 'Lifted'].includes(run.fence as string) ? [] : [`run.fence is ${String(run.fence)}`]),
    ...files.filter((file) => !KEPT.test(file)).map((file) => `the backup volume has ${file}`),
  ];
}

function isUndone(initial: EndState, found: EndState): boolean {
  return traces(initial, found).length === 0;
}
