import { rows, type Queryable } from './database.ts';

/** Columns as `table.column` that tell the schema of one version of the planner from that of another. */
export interface SchemaRequirement {
  revision: string;
  present: readonly string[];
  absent: readonly string[];
}

/**
 * What is wrong with the schema, as a sentence, or undefined when it is the required one.
 *
 * Reads the catalog only: asking the tables would wait behind the very migration that is changing them.
 */
export async function schemaProblem(database: Queryable, required: SchemaRequirement): Promise<string | undefined> {
  const found = await rows<{ name: string }>(
    database,
    `SELECT c.relname || '.' || a.attname AS name
     FROM pg_catalog.pg_attribute a
     JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
     WHERE c.relnamespace = to_regnamespace('public') AND c.relkind = 'r'
       AND a.attnum > 0 AND NOT a.attisdropped
       AND c.relname || '.' || a.attname = ANY ($1::text[])`,
    [[...required.present, ...required.absent]],
  );
  const names = new Set(found.map(({ name }) => name));
  const missing = required.present.filter((name) => !names.has(name));
  const surplus = required.absent.filter((name) => names.has(name));
  if (missing.length === 0 && surplus.length === 0) return undefined;
  const parts = [
    ...(missing.length > 0 ? [`without ${missing.join(', ')}`] : []),
    ...(surplus.length > 0 ? [`with ${surplus.join(', ')}`] : []),
  ];
  return `This version needs the schema ${required.revision}, but the database is one ${parts.join(' and ')}.`;
}
