import { spawnSync } from 'node:child_process';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { Client } from 'pg';
import { startPostgres, type Postgres } from '../../e2e/cluster/postgres.ts';
import { migrate, newRevision } from '../../migrations/testkit.ts';
import { errorCode, errorMessage } from './api-client.ts';
import { startBackend, type Backend } from './backend-process.ts';
import { clientUrl, createDatabase, token } from './testbed.ts';
import { planner as old } from './v1/planner.ts';

/** How both versions behave as processes: what Kubernetes and a migration do to them. */
describe('the planner as a process', function () {
  this.timeout(60_000);
  let postgres: Postgres;
  let backend: Backend;

  beforeEach(async () => {
    postgres = await startPostgres();
    await createDatabase(postgres, old.schema.revision);
  });
  afterEach(async () => {
    await backend.end('SIGKILL');
    await postgres.stop();
  });

  const environment = () => ({ DATABASE_URL: clientUrl(postgres), API_TOKEN: token });

  async function change(direction: 'up' | 'down'): Promise<void> {
    const client = new Client({ connectionString: postgres.adminUrl('planner') });
    await client.connect();
    try {
      await migrate(client, newRevision, direction);
    } finally {
      await client.end();
    }
  }

  const sessions = async () => {
    const sql = `SELECT count(*) FROM pg_stat_activity WHERE application_name = 'planner-backend'`;
    return Number(await postgres.psql(sql));
  };

  it('version 1 is ready on the old schema only, and alive on any', async () => {
    backend = await startBackend('v1', environment());
    expect((await backend.get('/readyz')).status).to.equal(200);
    await change('up');
    const { status, body } = await backend.get('/readyz');
    expect([status, errorCode(body)]).to.deep.equal([503, 'SchemaMismatch']);
    expect(errorMessage(body)).to.equal(
      'This version needs the schema 976e6adbac6f, but the database is one without project_phases.phase_type, ' +
        'resource_assignments.project_phase_id and with project_phases.start_date.',
    );
    expect((await backend.get('/healthz')).status).to.equal(200);
    const refused = await backend.get('/api/v1/status');
    expect([refused.status, errorCode(refused.body)]).to.deep.equal([503, 'SchemaMismatch']);
    await change('down');
    expect((await backend.get('/readyz')).status).to.equal(200);
  });

  it('version 2 is ready on the new schema only, and does not wait behind the migration', async () => {
    backend = await startBackend('v2', environment());
    expect(errorCode((await backend.get('/readyz')).body)).to.equal('SchemaMismatch');
    const client = new Client({ connectionString: postgres.adminUrl('planner') });
    await client.connect();
    await client.query('BEGIN; LOCK TABLE project_phases, resource_assignments');
    expect(errorCode((await backend.get('/readyz')).body)).to.equal('SchemaMismatch');
    await client.end();
    await change('up');
    expect((await backend.get('/readyz')).status).to.equal(200);
    expect((await backend.get('/api/v1/status')).status).to.equal(200);
  });

  it('version 2 is not ready while a column of the old schema is left', async () => {
    await change('up');
    await postgres.psql('ALTER TABLE resource_assignments ADD COLUMN project_phase_id uuid', 'planner');
    backend = await startBackend('v2', environment());
    expect(errorMessage((await backend.get('/readyz')).body)).to.equal(
      'This version needs the schema 92023c163a26, but the database is one with resource_assignments.project_phase_id.',
    );
  });

  it('starts without a database, says so, and is ready once it is there', async () => {
    await postgres.psql('ALTER DATABASE planner RENAME TO elsewhere');
    backend = await startBackend('v1', environment());
    const { status, body } = await backend.get('/readyz');
    expect([status, errorCode(body)]).to.deep.equal([503, 'DatabaseUnavailable']);
    expect((await backend.get('/healthz')).status).to.equal(200);
    expect((await backend.get('/version')).status).to.equal(200);
    await postgres.psql('ALTER DATABASE elsewhere RENAME TO planner');
    expect((await backend.get('/readyz')).status).to.equal(200);
  });

  it('survives a restart and a crash of PostgreSQL', async () => {
    backend = await startBackend('v1', environment());
    expect((await backend.get('/readyz')).status).to.equal(200);
    await postgres.restart();
    await backend.until('/readyz', 200);
    await postgres.crash();
    expect(errorCode((await backend.get('/api/v1/projects', token)).body)).to.equal('DatabaseUnavailable');
    await postgres.restart();
    await backend.until('/api/v1/status', 200);
    expect(backend.process.exitCode).to.equal(null);
  });

  it('is fenced off with 503 and comes back by itself', async () => {
    backend = await startBackend('v1', environment());
    expect((await backend.get('/api/v1/status')).status).to.equal(200);
    await postgres.psql(
      `ALTER ROLE planner_app NOLOGIN; SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'planner_app'`,
    );
    const { status, body } = await backend.get('/api/v1/status');
    expect([status, errorCode(body)]).to.deep.equal([503, 'DatabaseUnavailable']);
    expect((await backend.get('/readyz')).status).to.equal(503);
    expect(await sessions()).to.equal(0);
    await postgres.psql('ALTER ROLE planner_app LOGIN');
    expect((await backend.get('/readyz')).status).to.equal(200);
    expect(await sessions()).to.be.greaterThan(0);
  });

  it('ends at once on SIGTERM, with its sessions, also while clients keep connections open', async () => {
    backend = await startBackend('v1', environment());
    expect((await backend.get('/api/v1/status')).status).to.equal(200);
    const { hostname, port } = new URL(backend.url);
    const idle = connect(Number(port), hostname).on('error', () => undefined);
    expect(await sessions()).to.be.greaterThan(0);
    const { code, milliseconds } = await backend.end();
    idle.destroy();
    expect(code).to.equal(0);
    expect(milliseconds).to.be.lessThan(1_000);
    while ((await sessions()) > 0);
  });

  it('ends on SIGTERM in the middle of a statement that waits', async () => {
    backend = await startBackend('v1', environment());
    const client = new Client({ connectionString: postgres.adminUrl('planner') });
    await client.connect();
    await client.query('BEGIN; LOCK TABLE project_phases');
    const waiting = backend.get('/api/v1/status').then(
      () => 'answered',
      () => 'cut off',
    );
    const blocked = `SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'`;
    while ((await postgres.psql(blocked)) === '0');
    const { code, milliseconds } = await backend.end();
    expect(code).to.equal(0);
    expect(milliseconds).to.be.lessThan(1_000);
    expect(await waiting).to.equal('cut off');
    await client.end();
  });

  it('refuses to start without its configuration, in one sentence, with exit code 1', async () => {
    backend = await startBackend('v1', environment());
    const main = fileURLToPath(new URL('v1/main.ts', import.meta.url));
    const missing = spawnSync(process.execPath, [main], { env: {}, encoding: 'utf8' });
    expect(missing.status).to.equal(1);
    expect(missing.stderr).to.equal('');
    expect(missing.stdout.trim().split('\n')).to.have.length(1);
    expect(missing.stdout).to.match(/The planner cannot start: DATABASE_URL is not set/);
    const taken = { ...environment(), PORT: new URL(backend.url).port };
    const second = spawnSync(process.execPath, [main], { env: taken, encoding: 'utf8' });
    expect(second.status).to.equal(1);
    expect(second.stdout).to.match(/cannot listen on port/);
  });

  it('never shows its password or its token', async () => {
    const url = clientUrl(postgres).replace('planner_app@', 'planner_app:canary-password@');
    backend = await startBackend('v1', { DATABASE_URL: url, API_TOKEN: 'canary-token' });
    await backend.get('/api/v1/projects', 'canary-token');
    await postgres.crash();
    const answers = [await backend.get('/readyz'), await backend.get('/api/v1/projects', 'canary-token')];
    await backend.end();
    expect(JSON.stringify([answers, backend.log])).not.to.include('canary');
  });
});
