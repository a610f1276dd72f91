import type { Server } from 'node:http';
import { createAdaptorServer } from '@hono/node-server';
import { createApp, type PlannerVersion } from './app.ts';
import { ConfigError, readConfig } from './config.ts';
import { createPool } from './database.ts';
import { log } from './log.ts';

/**
 * How long running requests may take after SIGTERM. Short on purpose: during a migration the application is down from
 * the first refused request on, so whoever ends slowly makes the outage longer.
 */
const graceMs = 80;

/**
 * Serves one version of the planner until SIGTERM or SIGINT, then exits with 0; exits with 1 when the environment or
 * the port is unusable. Listens at once, whether or not the database is there: readiness says that.
 */
export function run(planner: PlannerVersion): void {
  const stop = stoppable();
  let config;
  try {
    config = readConfig(process.env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    log('error', error.message);
    process.exit(1);
  }
  const pool = createPool(config.databaseUrl);
  const app = createApp(planner, pool, config.apiToken);
  const server = createAdaptorServer({ fetch: app.fetch }) as Server;

  stop.with(async () => {
    await new Promise((resolve) => server.close(resolve));
    await pool.end();
  });
  server.on('error', (error) => {
    log('error', `The planner cannot listen on port ${config.port}: ${error.message}`);
    process.exit(1);
  });
  server.listen(config.port, () => {
    const address = server.address();
    const port = typeof address === 'object' && address ? address.port : config.port;
    log('info', 'The planner listens', { port, version: planner.version, schema: planner.schema.revision });
  });
}

/**
 * Ends the process on SIGTERM and SIGINT from the first moment on: as the first process of a container it would
 * otherwise not be ended by them at all.
 */
function stoppable() {
  let cleanUp: () => Promise<void> = () => Promise.resolve();
  const end = (signal: string) => {
    log('info', `The planner ends on ${signal}`);
    setTimeout(() => process.exit(0), graceMs).unref();
    void cleanUp()
      .catch((error: unknown) => log('warn', 'Not everything could be closed', { reason: String(error) }))
      .finally(() => process.exit(0));
  };
  process.once('SIGTERM', end).once('SIGINT', end);
  return {
    with: (work: () => Promise<void>) => {
      cleanUp = work;
    },
  };
}
