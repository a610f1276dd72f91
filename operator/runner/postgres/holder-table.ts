import { identifier } from './identifiers.ts';
import { sqlState, type Row, type Session } from './session.ts';

/**
 * The fixed place of a server that says who works on which of its databases: in the maintenance database, beside the
 * lock. It is for people and for whoever is refused; what keeps others out is the lock. The same text stands in
 * docs/adopting.md.
 */
export const HOLDER_TABLE = `CREATE SCHEMA IF NOT EXISTS phasemigration;
CREATE TABLE IF NOT EXISTS phasemigration.holder (
  database text PRIMARY KEY,
  holder text NOT NULL,
  cluster text,
  run_uid text,
  epoch integer,
  pod text,
  step text,
  state text NOT NULL DEFAULT 'Working' CHECK (state IN ('Working', 'NeedsHuman')),
  lock_key bigint NOT NULL,
  lock_pid integer NOT NULL,
  role text NOT NULL DEFAULT SESSION_USER,
  started_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
  heartbeat_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()
);
GRANT USAGE ON SCHEMA phasemigration TO PUBLIC;
GRANT SELECT ON phasemigration.holder TO PUBLIC;
COMMENT ON TABLE phasemigration.holder IS 'Who works on which database of this server; what keeps others out is the advisory lock lock_key.';`;

/** What was looked up about the table before it is used. */
export interface TableFacts {
  /** The runner's role. */
  role: string;
  /** The maintenance database. */
  place: string;
  /** The role may make the table, or the schema with it. */
  mayCreate: boolean;
  /** Owner of the schema, where there is one. */
  schemaOwner?: string;
  /** Owner of the table, where there is one. */
  tableOwner?: string;
  /** Both owners are this role, a superuser, or the owner of the maintenance database. */
  isTrusted: boolean;
  /** An ordinary table, without row security: reading it runs nobody's code. */
  isPlain: boolean;
  mayWrite: boolean;
}

/**
 * What to do about the table: use it, make it, or do without and say why. Whoever owns a table may hang a trigger on it,
 * which would run with the rights of the role that writes; so only an owner who could do that anyway is trusted.
 */
export function judgeTable(facts: TableFacts): 'use' | 'create' | { problem: string } {
  const { role, place, schemaOwner, tableOwner } = facts;
  const [quotedRole, quotedPlace] = [identifier(role), identifier(place)];
  if (schemaOwner !== undefined && !facts.isTrusted) {
    const take = 'ALTER SCHEMA phasemigration OWNER TO CURRENT_USER';
    const statements =
      tableOwner === undefined
        ? [take]
        : [
            take,
            'ALTER TABLE phasemigration.holder OWNER TO CURRENT_USER',
            `GRANT INSERT, UPDATE, DELETE ON phasemigration.holder TO ${identifier(tableOwner)}, ${quotedRole}`,
          ];
    return {
      problem: `schema phasemigration of database ${quotedPlace} belongs to role "${tableOwner ?? schemaOwner}", and its owner’s triggers would run with the rights of "${role}". As a superuser, in that database: ${statements.join('; ')}`,
    };
  }
  if (tableOwner === undefined)
    return facts.mayCreate
      ? 'create'
      : {
          problem: `role "${role}" may not make a schema in database ${quotedPlace}. As a superuser: GRANT CREATE ON DATABASE ${quotedPlace} TO ${quotedRole}`,
        };
  if (!facts.isPlain) return { problem: `phasemigration.holder of database ${quotedPlace} is not an ordinary table` };
  if (facts.mayWrite) return 'use';
  return {
    problem: `role "${role}" may not write to table phasemigration.holder of database ${quotedPlace}. As a superuser, in that database: GRANT INSERT, UPDATE, DELETE ON phasemigration.holder TO ${quotedRole}`,
  };
}

export async function readTableFacts(session: Session): Promise<TableFacts> {
  const row = await session.one(
    `SELECT CURRENT_USER::text AS role, d.datname::text AS place,
       (n.oid IS NULL AND pg_catalog.has_database_privilege(d.oid, 'CREATE')
         OR n.oid IS NOT NULL AND pg_catalog.has_schema_privilege(n.oid, 'CREATE')) AS creates,
       s.rolname::text AS schema_owner, o.rolname::text AS table_owner,
       (${isTrusted('s')}) AND (c.oid IS NULL OR ${isTrusted('o')}) AS trusted,
       c.relkind::text = 'r' AND NOT c.relrowsecurity AS plain,
       pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_table_privilege(c.oid, 'SELECT')
         AND pg_catalog.has_table_privilege(c.oid, 'INSERT') AND pg_catalog.has_table_privilege(c.oid, 'UPDATE')
         AND pg_catalog.has_table_privilege(c.oid, 'DELETE') AS writes
     FROM pg_catalog.pg_database d
     LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = 'phasemigration'
     LEFT JOIN pg_catalog.pg_roles s ON s.oid = n.nspowner
     LEFT JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = 'holder'
     LEFT JOIN pg_catalog.pg_roles o ON o.oid = c.relowner
     WHERE d.datname = pg_catalog.current_database()`,
  );
  const holds = (column: keyof Row) => row[column] === 't';
  return {
    ...{ role: row['role']!, place: row['place']!, mayCreate: holds('creates') },
    ...(row['schema_owner'] ? { schemaOwner: row['schema_owner'] } : {}),
    ...(row['table_owner'] ? { tableOwner: row['table_owner'] } : {}),
    ...{ isTrusted: holds('trusted'), isPlain: holds('plain'), mayWrite: holds('writes') },
  };
}

function isTrusted(owner: string): string {
  return `${owner}.rolsuper OR ${owner}.rolname = CURRENT_USER OR ${owner}.oid = d.datdba`;
}

/** Two that make it at the same time: the slower one finds a name taken or a row of a catalog changed. */
const MADE_BY_ANOTHER = ['23505', '42P06', '42P07', 'XX000'];

/**
 * Makes the table where there is none and the role may.
 *
 * @returns undefined when it can be written to, else why not and what to do about it, for people
 */
export async function prepareTable(session: Session): Promise<string | undefined> {
  const judged = judgeTable(await readTableFacts(session));
  if (judged === 'use') return undefined;
  if (judged !== 'create') return judged.problem;
  try {
    // One message is one transaction.
    await session.query(HOLDER_TABLE);
    return undefined;
  } catch (error) {
    if (!MADE_BY_ANOTHER.includes(sqlState(error) ?? '')) throw error;
    const found = judgeTable(await readTableFacts(session));
    return typeof found === 'string' ? undefined : found.problem;
  }
}

/** Whether the table is there and may be read without running anybody's code. */
export async function isReadable(session: Session): Promise<boolean> {
  const { tableOwner, isPlain } = await readTableFacts(session);
  return tableOwner !== undefined && isPlain;
}
