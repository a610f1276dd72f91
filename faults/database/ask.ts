import pg from 'pg';
import type { Postgres } from '../../e2e/cluster/postgres.ts';

/** Every value as PostgreSQL itself writes it. */
const types = { getTypeParser: () => (value: string) => value } as unknown as pg.CustomTypesConfig;

/**
 * The same server, which is asked without starting a psql for every question: a sweep asks tens of thousands. What it
 * answers is written as psql does it, unaligned.
 */
export function withQuickAnswers(server: Postgres): Postgres {
  return {
    ...server,
    psql: async (sql, database = 'postgres') => {
      const client = new pg.Client({ connectionString: server.adminUrl(database), types });
      // The one that matters is thrown by what is asked.
      client.on('error', () => undefined);
      try {
        await client.connect();
        const results = (await client.query({ text: sql, rowMode: 'array' })) as unknown as
          pg.QueryArrayResult<(string | null)[]> | pg.QueryArrayResult<(string | null)[]>[];
        const rows = [results].flat().flatMap((result) => result.rows);
        return rows.map((row) => row.map((value) => value ?? '').join('|')).join('\n');
      } finally {
        await client.end().catch(() => undefined);
      }
    },
  };
}
