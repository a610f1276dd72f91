import { comparingScript, type Contents } from '../postgres/contents.ts';
import { readDatabaseSettings, statementsFor } from '../postgres/database-settings.ts';
import { identifier, literal } from '../postgres/identifiers.ts';
import type { Session } from '../postgres/session.ts';
import type { Work } from '../work.ts';
import { creationLike } from './create-like.ts';

/** Stands in the scripts for the name that people give with `psql --set=database=NAME`. */
const PLACE = 'phasemigration:the database';

const STOP_AT_ERRORS = '\\set ON_ERROR_STOP on';

/** What `psql` and `pg_restore` need beside an archive where nothing else is left; by the end of the file's name. */
export interface Scripts {
  /** Makes roles and an empty database; to be run in another database. */
  create: string;
  /** Gives the restored database what belongs to the database itself, which no archive of its content has. */
  settings: string;
  /** Tells what of the restored database differs from what was dumped. */
  compare: string;
}

/** Writes the scripts for a database as it is; `session` is in it, in the moment that is dumped. */
export async function byHandScripts(work: Work, session: Session, contents: Contents): Promise<Scripts> {
  const { maintenance, names } = work;
  const settings = await readDatabaseSettings(maintenance, names.target);
  const limit = `ALTER DATABASE ${identifier(PLACE)} CONNECTION LIMIT ${settings.connectionLimit}`;
  return {
    create: script([...(await roleStatements(maintenance, names.target)), `${await creationLike(work, PLACE)};`]),
    settings: script([...statementsFor(PLACE, settings), limit].map((statement) => `${statement};`)),
    compare: await comparingScript(session, contents),
  };
}

function script(lines: string[]): string {
  const text = [STOP_AT_ERRORS, ...lines, ''].join('\n');
  return text.replaceAll(identifier(PLACE), ':"database"');
}

/** Every role that something in the database belongs or is granted to: where it is missing the archive cannot be restored. */
async function roleStatements(session: Session, database: string): Promise<string[]> {
  const rows = await session.query(
    `SELECT r.rolname::text AS name, r.rolcanlogin, r.rolcreatedb, r.rolcreaterole
     FROM pg_catalog.pg_roles r
     WHERE r.oid IN (
       SELECT s.refobjid FROM pg_catalog.pg_shdepend s JOIN pg_catalog.pg_database d ON d.datname = $1
       WHERE s.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass
         AND (s.dbid = d.oid OR s.classid = 'pg_catalog.pg_database'::pg_catalog.regclass AND s.objid = d.oid)
       UNION SELECT s.setrole FROM pg_catalog.pg_db_role_setting s
         JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase WHERE d.datname = $1)
     ORDER BY 1`,
    [database],
  );
  return rows.map((row) => {
    const can = (column: string, word: string) => (row[column] === 't' ? [word] : []);
    const abilities = [
      ...can('rolcanlogin', 'LOGIN'),
      ...can('rolcreatedb', 'CREATEDB'),
      ...can('rolcreaterole', 'CREATEROLE'),
    ];
    const create = ['CREATE ROLE', identifier(row['name']!), ...abilities].join(' ');
    const missing = `NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = ${literal(row['name']!)})`;
    return `SELECT ${literal(create)} WHERE ${missing} \\gexec`;
  });
}
