import { Client, DatabaseError } from 'pg';

/** Rows as arrays, values as the driver reads them. */
export async function rows(client: Client, sql: string, ...values: string[]): Promise<unknown[][]> {
  return (await client.query<unknown[]>({ text: sql, rowMode: 'array', values })).rows;
}

/** Columns in order, constraints, indexes, types and privileges: what a schema dump would show. */
export async function schema(client: Client): Promise<unknown[][]> {
  return rows(
    client,
    `      SELECT 'column', c.relname, row_number() OVER (PARTITION BY c.oid ORDER BY a.attnum)::text, a.attname,
        concat_ws(' ', format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(d.adbin, d.adrelid))
      FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
      LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
      WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
      UNION ALL SELECT 'acl', relname, relowner::regrole::text, relacl::text, '' FROM pg_class
      WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
      UNION ALL SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid), '' FROM pg_constraint
      WHERE connamespace = 'public'::regnamespace
      UNION ALL SELECT 'index', tablename, indexname, indexdef, '' FROM pg_indexes WHERE schemaname = 'public'
      UNION ALL SELECT 'type', t.typname, string_agg(enumlabel, ',' ORDER BY enumsortorder), '', ''
      FROM pg_type t JOIN pg_enum e ON e.enumtypid = t.oid GROUP BY t.typname
      ORDER BY 1, 2, 3, 4`,
  );
}

/** Name, first and last day of each phase of a project, on the new schema. */
export function phases(client: Client, project: string): Promise<unknown[][]> {
  return rows(
    client,
    `SELECT ph.name, ph.start_date::text, ph.end_date::text
     FROM project_phases ph JOIN projects p ON p.id = ph.project_id
     WHERE p.name = $1 ORDER BY ph.start_date, ph.end_date, ph.name DESC`,
    project,
  );
}

/** Type and number of assignments of each phase of a project, on the old schema. */
export function phaseTypes(client: Client, project: string): Promise<unknown[][]> {
  return rows(
    client,
    `SELECT ph.phase_type::text, count(ra.id)::int
     FROM project_phases ph JOIN projects p ON p.id = ph.project_id
     LEFT JOIN resource_assignments ra ON ra.project_phase_id = ph.id
     WHERE p.name = $1 GROUP BY ph.id ORDER BY ph.phase_type, 2`,
    project,
  );
}

/** The error with which the database refuses the work. */
export async function refusal(work: Promise<unknown>): Promise<DatabaseError> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof DatabaseError)) throw new Error('The database refused nothing.');
  return error;
}
