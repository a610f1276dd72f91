import { expect } from 'chai';
import { freePort } from '../../e2e/cluster/ports.ts';
import { startPooler } from '../../e2e/cluster/pooler.ts';
import { startPostgres, type Postgres } from '../../e2e/cluster/postgres.ts';
import { HISTORY, PRIVILEGES, SERVER } from './testing/preflight-cases.ts';
import { FILES_AND_QUESTIONS, URLS } from './testing/preflight-input-cases.ts';
import { Scenario } from './testing/scenario.ts';

describe('The preflight refuses', function () {
  this.timeout(30_000);
  let server: Postgres;
  let scenario: Scenario;

  before(async () => {
    server = await startPostgres({
      settings: { max_prepared_transactions: '5', wal_level: 'logical' },
      hostBasedAuthentication: ['host all +checked 127.0.0.1/32 scram-sha-256'],
    });
    await server.psql('CREATE ROLE checked');
  });
  after(() => server.stop());
  afterEach(() => scenario.end());

  for (const { title, options, before, url, reason, message } of [
    ...SERVER,
    ...PRIVILEGES,
    ...HISTORY,
    ...FILES_AND_QUESTIONS,
    ...URLS,
  ])
    it(title, async () => {
      scenario = await Scenario.create(server, options);
      await before?.(scenario, server);
      scenario.start(url ? { databaseUrl: await url(scenario) } : {});
      const failure = await scenario.failed('Preflight');
      expect(failure.reason).equal(reason);
      const expected = message(scenario);
      if (typeof expected === 'string') expect(failure.message).equal(expected);
      else expect(failure.message).match(expected);
      expect(JSON.stringify(scenario.memory.run)).not.include('hunter2');
      expect(scenario.memory.runner.fence).equal(undefined);
      scenario.memory.setGoal('Finished');
      expect(await scenario.runners[0]!.ended).equal('Finished');
      expect(await scenario.sessions()).equal('');
    });

  it('a transaction pooler, before it leaves a lock or a setting in the pool', async function () {
    // It may have to be installed first.
    this.timeout(180_000);
    scenario = await Scenario.create(server);
    // "auth_type = any" logs in as one user whoever asks.
    const pooler = await startPooler({ ...server, user: scenario.owner });
    try {
      scenario.start({ databaseUrl: scenario.urlAt(pooler.port) });
      const { reason, message } = await scenario.failed('Preflight');
      expect(reason).equal('TransactionPooler');
      expect(message).equal(
        `127.0.0.1:${pooler.port} is a connection pooler: sessions are not the runner’s own there; give the Secret the URL of the server itself`,
      );
      expect(await server.psql(`SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'`)).equal('0');
      expect(await pooler.ask('SHOW lock_timeout')).equal('0');
    } finally {
      await pooler.stop();
    }
  });

  it('everything at once, numbered', async () => {
    scenario = await Scenario.create(server, { privileges: 'CREATEDB' });
    await scenario.write({ '0002_price.up.sql': 'ALTER TABEL item' });
    scenario.start();
    const { reason, message } = await scenario.failed('Preflight');
    expect(reason).equal('InvalidMigration');
    expect(message).match(/^1\. InvalidMigration: .*\n2\. InsufficientPrivilege: .*CREATEROLE/);
  });

  it('nothing while the server cannot be reached, but says so', async () => {
    scenario = await Scenario.create(server);
    const port = await freePort();
    scenario.start({ databaseUrl: scenario.urlAt(port) });
    const { waitingFor, steps } = await scenario.memory.when((runner) => runner.waitingFor !== undefined, 'the wait');
    expect(waitingFor).equal(
      `cannot reach database "postgres" on 127.0.0.1:${port}: connect ECONNREFUSED 127.0.0.1:${port}`,
    );
    expect(steps?.[0]).include({ name: 'Preflight', state: 'Running', reason: 'DatabaseUnreachable' });
  });

  it('nothing where only the server’s free disk cannot be measured, but warns', async () => {
    scenario = await Scenario.create(server);
    await connectOnly(scenario.client);
    scenario.start();
    await scenario.reach('Prepared');
    expect(scenario.memory.runner.warnings).deep.equal([
      `Free disk of the server was not measured: role "${scenario.owner}" lacks pg_execute_server_program or pg_read_all_settings.`,
    ]);
  });

  it('nothing where a role may log in that the fence does not keep out, but warns of it by name', async () => {
    scenario = await Scenario.create(server);
    const { client, database } = scenario;
    const [reader, unable] = [`reader of ${database}`, `unable of ${database}`];
    await server.psql(
      `CREATE ROLE "${reader}" LOGIN; CREATE ROLE "${unable}" NOLOGIN; CREATE ROLE "root of ${database}" LOGIN SUPERUSER`,
    );
    await connectOnly(client, reader);
    scenario.memory.run.spec.plan.database.clientRoles = [client, unable];
    scenario.start();
    await scenario.reach('Prepared');
    expect(scenario.memory.runner.warnings?.slice(1)).deep.equal([
      `The fence does not keep out "${reader}", who may log in to database "${database}" and is not among database.clientRoles: what is written so during the outage is lost when the restore point is put back. Name every role that writes there, or take its CONNECT away (REVOKE CONNECT ON DATABASE "${database}" FROM PUBLIC), or leave database.clientRoles empty: then CONNECTION LIMIT 0 keeps everybody out but superusers.`,
      `"${unable}" of database.clientRoles cannot log in: the fence has nothing to do for it.`,
    ]);
  });

  /** Nobody else may log in to the scenario’s database. */
  const connectOnly = (...roles: string[]) =>
    server.psql(
      `REVOKE CONNECT ON DATABASE "${scenario.database}" FROM PUBLIC;
       GRANT CONNECT ON DATABASE "${scenario.database}" TO ${roles.map((role) => `"${role}"`).join(', ')}`,
    );
});
