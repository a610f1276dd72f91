import { Client } from 'pg';
import { installOldSchema, migrate, newRevision, seed } from '../../migrations/testkit.ts';
import { ApiClient, field, type Answer, type Json } from './api-client.ts';
import { createApp, type PlannerVersion } from './common/app.ts';
import { createPool } from './common/database.ts';

/** What the tests need of a PostgreSQL server of their own. */
export interface Server {
  host: string;
  port: number;
  adminUrl(database: string): string;
  psql(sql: string, database?: string): Promise<string>;
}

export const token = 'test-token';
export type Testbed = Awaited<ReturnType<typeof createTestbed>>;

/** URL of the database `planner` for the role of the clients. */
export function clientUrl(server: Server): string {
  return `postgresql://planner_app@${server.host}:${server.port}/planner`;
}

/** Makes the database `planner` with the seed data, on the schema of the revision. */
export async function createDatabase(server: Server, revision: string): Promise<void> {
  await server.psql('CREATE ROLE planner_app LOGIN; CREATE DATABASE planner');
  const client = new Client({ connectionString: server.adminUrl('planner') });
  await client.connect();
  try {
    await installOldSchema(client);
    await seed(client, 'planner');
    if (revision === newRevision) await migrate(client, newRevision, 'up');
  } finally {
    await client.end();
  }
}

/** One version of the planner in this process, on a database of its schema with the seed data. */
export async function createTestbed(server: Server, planner: PlannerVersion) {
  await createDatabase(server, planner.schema.revision);
  const pool = createPool(clientUrl(server));
  const app = createApp(planner, pool, token);
  const api = new ApiClient(app, token);

  return {
    api,
    stranger: new ApiClient(app),
    withToken: (other: string) => new ApiClient(app, other),
    phases: async (project: string) => (await api.get(`/api/v1/projects/${project}/phases`)).body,

    async newProject(start = '2026-01-01', end = '2026-12-31'): Promise<{ id: string; phaseId: string }> {
      const { body } = await api.post('/api/v1/projects', { name: 'New', start_date: start, end_date: end });
      return { id: field(body, 'id') as string, phaseId: field(body, 'phases.0.id') as string };
    },

    async newResource(daily_rate = 100): Promise<string> {
      return field((await api.post('/api/v1/resources', { name: 'Ann', daily_rate })).body, 'id') as string;
    },

    async assign(project: string, assignment_date: string, more: Record<string, Json> = {}): Promise<Answer> {
      const resource_id = more['resource_id'] ?? (await this.newResource());
      return api.post(`/api/v1/projects/${project}/assignments`, { resource_id, assignment_date, ...more });
    },

    /** Id of the project Atlas of the seed data. */
    async atlas(): Promise<string> {
      const { body } = await api.get('/api/v1/projects');
      return (field(body, 'projects') as { id: string; name: string }[]).find(({ name }) => name === 'Atlas')!.id;
    },

    close: () => pool.end(),
  };
}
