import { Hono } from 'hono';
import { bearerAuth } from 'hono/bearer-auth';
import { bodyLimit } from 'hono/body-limit';
import { HTTPException } from 'hono/http-exception';
import type { Pool } from 'pg';
import type { Queryable } from './database.ts';
import { ApiError, problemOf, type Problem } from './errors.ts';
import { log } from './log.ts';
import { schemaProblem, type SchemaRequirement } from './schema.ts';

/** What makes one version of the planner different from another. */
export interface PlannerVersion {
  version: string;
  schema: SchemaRequirement;
  /** The cheapest statement that only works on the schema of this version. */
  probe: string;
  /** Adds the routes below /api/v1, all of which need the token. */
  routes(api: Hono, pool: Pool): void;
}

const largestBody = 64 * 1024;

/**
 * The whole HTTP interface of one version.
 *
 * Without a token: `/healthz` (the process lives), `/readyz` (the database is there and has the right schema),
 * `/version`, and `/api/v1/status` (one query through the tables, for probers).
 */
export function createApp(planner: PlannerVersion, pool: Pool, apiToken: string): Hono {
  const app = new Hono();
  const about = { version: planner.version, schema: planner.schema.revision };

  app.onError((error, c) => {
    // What the library's own middleware refuses comes with its answer.
    if (error instanceof HTTPException) return error.getResponse();
    const problem = problemOf(error);
    if (problem.status >= 500) log('error', error.message, { request: `${c.req.method} ${c.req.path}` });
    return c.json(asBody(problem), problem.status);
  });
  app.notFound((c) => {
    const message = `There is nothing at ${c.req.method} ${c.req.path}.`;
    return c.json(asBody({ status: 404, code: 'NotFound', message }), 404);
  });

  app.get('/healthz', (c) => c.json({ status: 'alive' }));
  app.get('/version', (c) => c.json(about));
  app.get('/readyz', async (c) => {
    const problem = await readinessProblem(pool, planner.schema);
    return problem ? c.json(asBody(problem), 503) : c.json({ status: 'ready', ...about });
  });

  const api = new Hono();
  api.get('/status', async (c) => {
    await pool.query(planner.probe);
    return c.json({ status: 'ok', ...about });
  });
  api.use(bearer(apiToken), bodyLimit({ maxSize: largestBody, onError: tooLarge }));
  planner.routes(api, pool);
  app.route('/api/v1', api);
  return app;
}

async function readinessProblem(database: Queryable, schema: SchemaRequirement): Promise<Problem | undefined> {
  try {
    const message = await schemaProblem(database, schema);
    return message ? { status: 503, code: 'SchemaMismatch', message } : undefined;
  } catch (error) {
    return problemOf(error);
  }
}

function bearer(token: string) {
  const denied = (message: string) => ({ message: asBody({ status: 401, code: 'Unauthorized', message }) });
  return bearerAuth({
    token,
    noAuthenticationHeader: denied('This needs the header "Authorization: Bearer <token>".'),
    invalidAuthenticationHeader: denied('The header Authorization must be "Bearer <token>".'),
    invalidToken: denied('The token is not the right one.'),
  });
}

function tooLarge(): never {
  throw new ApiError(413, 'TooLarge', `A request may have at most ${largestBody} bytes.`);
}

function asBody({ code, message }: Problem) {
  return { error: { code, message } };
}
