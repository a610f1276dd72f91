import { PINNED } from './ask.ts';
import { literal } from './identifiers.ts';
import type { Session } from './session.ts';

/** What is in one table. */
export interface TableContent {
  rows: number;
  /** Sum over all rows of a 64-bit hash of each; the same in whatever order they are. */
  hash?: string;
}

/** Content by table, `schema.name` as it stands in SQL. */
export type Contents = Record<string, TableContent>;

interface Table {
  name: string;
  /** As they stand in SQL, by name: a restore may give a table that inherits another order. */
  columns: string;
}

/** The number of large objects, which are rows of no table, is recorded under this name. */
const LARGE_OBJECTS = 'large objects';

/**
 * The tables whose rows pg_dump writes. Those of an extension are its own business; of the others leaf partitions and
 * parents stand for themselves. A materialized view's rows are not in an archive, but made anew.
 */
const TABLES = `
SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) AS name,
  (SELECT pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ' ORDER BY a.attname COLLATE "C")
   FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
    WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY 1`;

/**
 * Of the row as text, and not hash_record_extended(), which is three times as quick: that needs version 14 and a hash
 * function for every type (json has none), and takes 1.0 and 1.00 for the same.
 */
function hashOf({ columns }: Table): string {
  return `coalesce(sum(pg_catalog.hashtextextended(ROW(${columns})::pg_catalog.text COLLATE "C", 0)), 0)`;
}

async function listTables(session: Session): Promise<Table[]> {
  const rows = await session.query(TABLES);
  return rows.map((row) => ({ name: row['name']!, columns: row['columns'] ?? '' }));
}

/**
 * Counts every table's rows and hashes their content. To be asked in a transaction with `PINNED` settings: how values
 * are written as text depends on settings.
 */
export async function readContents(session: Session, { hashed }: { hashed: boolean }): Promise<Contents> {
  const contents: Contents = {};
  for (const table of await listTables(session)) {
    const hash = hashed ? `, ${hashOf(table)} AS hash` : '';
    const row = await session.one(`SELECT count(*) AS rows${hash} FROM ONLY ${table.name}`);
    contents[table.name] = { rows: Number(row['rows']), ...(hashed ? { hash: row['hash']! } : {}) };
  }
  const { objects } = await session.one('SELECT count(*) AS objects FROM pg_catalog.pg_largeobject_metadata');
  contents[LARGE_OBJECTS] = { rows: Number(objects) };
  return contents;
}

/** How what came back differs from what was there, a sentence for each table. */
export function compareContents(before: Contents, after: Contents): string[] {
  return [...new Set([...Object.keys(before), ...Object.keys(after)])].sort().flatMap((table) => {
    const [old, now] = [before[table], after[table]];
    if (!now) return [`${table} is gone`];
    if (!old) return [`${table} is new`];
    if (old.rows !== now.rows) return [`${table} had ${old.rows} rows and has ${now.rows}`];
    if (old.hash !== now.hash) return [`${table} has ${now.rows} rows as before, but other content`];
    return [];
  });
}

/** How many tables and rows were looked at. */
export function sizeOf(contents: Contents): { tables: number; rows: number } {
  const tables = Object.keys(contents).filter((name) => name !== LARGE_OBJECTS);
  return { tables: tables.length, rows: tables.reduce((sum, name) => sum + contents[name]!.rows, 0) };
}

/** A script for psql that compares a database with these contents: a line for each table that differs, and a last one. */
export async function comparingScript(session: Session, contents: Contents): Promise<string> {
  const tables = await listTables(session);
  const lines = tables.flatMap((table) => {
    const { rows, hash } = contents[table.name] ?? {};
    if (rows === undefined) return [];
    const differs = hash === undefined ? '' : ` OR ${hashOf(table)} <> ${hash}`;
    const what = `${literal(table.name)} AS differs, ${rows} AS rows_then, count(*) AS rows_now`;
    return [`SELECT ${what} FROM ONLY ${table.name} HAVING count(*) <> ${rows}${differs};`];
  });
  const end = `SELECT ${literal(`${lines.length} tables compared`)};`;
  return ['BEGIN;', `${PINNED.trim()};`, ...lines, end, 'COMMIT;', ''].join('\n');
}
