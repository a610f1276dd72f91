import { Pool, types, type ClientBase } from 'pg';
import { log } from './log.ts';

/** Anything that a query can be sent to: the pool, or the connection of a transaction. */
export type Queryable = Pick<ClientBase, 'query'>;

const parsers = new Map<number, (text: string) => unknown>([
  // A day is a day: as a Date it would move with the time zone of the process.
  [types.builtins.DATE, (text) => text],
  [types.builtins.INT8, Number],
  [types.builtins.NUMERIC, Number],
]);

/**
 * Connects on demand and again after every loss: a session that the server ends (restart, fence) leaves the pool, and
 * the next query opens another. A query without an answer gives up before an HTTP client would.
 */
export function createPool(databaseUrl: string): Pool {
  const pool = new Pool({
    connectionString: databaseUrl,
    application_name: 'planner-backend',
    max: 10,
    connectionTimeoutMillis: 2_000,
    statement_timeout: 9_000,
    query_timeout: 10_000,
    idle_in_transaction_session_timeout: 10_000,
    keepAlive: true,
    types: {
      getTypeParser: (oid: number, format?: 'text' | 'binary') =>
        parsers.get(oid) ?? (types.getTypeParser(oid, format) as (text: string) => unknown),
    },
  });
  // Without a listener the loss of an idle connection would end the process.
  pool.on('error', (error) => log('warn', 'A database connection was lost', { reason: error.message }));
  return pool;
}

/** The rows of a query; columns that are dates are text like 2026-01-31, counts and amounts are numbers. */
export async function rows<Row>(database: Queryable, sql: string, values: unknown[] = []): Promise<Row[]> {
  const result = await database.query(sql, values);
  return result.rows as Row[];
}

/** Runs the work in one transaction: committed when it resolves, rolled back when it throws. */
export async function transaction<Result>(pool: Pool, work: (database: Queryable) => Promise<Result>): Promise<Result> {
  const client = await pool.connect();
  let broken: Error | undefined;
  try {
    await client.query('BEGIN');
    const result = await work(client);
    await client.query('COMMIT');
    return result;
  } catch (error) {
    await client.query('ROLLBACK').catch((reason: unknown) => {
      broken = reason instanceof Error ? reason : new Error(String(reason));
    });
    throw error;
  } finally {
    // A connection that could not even roll back is not given to anybody else.
    client.release(broken);
  }
}
