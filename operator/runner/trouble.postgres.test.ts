import { expect } from 'chai';
import { startPostgres, type Postgres } from '../../e2e/cluster/postgres.ts';
import { ConnectionLost } from './core/failure.ts';
import { Session } from './postgres/session.ts';
import { expectExactly, MIGRATED, PUT_BACK } from './testing/exactly.ts';
import { conduct } from './testing/operator.ts';
import { Scenario } from './testing/scenario.ts';
import { Wire } from './testing/wire.ts';

describe('What looks like a lost connection', function () {
  this.timeout(30_000);
  let server: Postgres;
  let scenario: Scenario | undefined;
  let session: Session | undefined;

  before(async () => {
    server = await startPostgres();
  });
  after(() => server.stop());
  afterEach(async () => {
    session?.destroy();
    session = undefined;
    await scenario?.end();
    scenario = undefined;
  });

  const open = (address: { user?: string; port?: number } = {}) =>
    Session.open({ ...server, user: 'postgres', database: 'postgres', ...address }, 'postgres', 'the one that asks');
  const failure = (promise: Promise<unknown>) =>
    promise.then(
      () => undefined,
      (error: Error & { code?: string }) => error,
    );
  const checking = (query: string) => ({
    plan: {
      verification: { checks: [{ name: 'odd', query, expect: { value: '0' } }], rollbackChecks: [], jobs: [] },
    },
  });

  for (const begin of ['SELECT 1', 'BEGIN'])
    it(`is the server’s answer where the session still answers (after ${begin})`, async () => {
      session = await open();
      await session.query(begin);
      const tooFew = await failure(session.query('SELECT $1::int + $2::int', [1]));
      expect(tooFew?.code).equal('08P01');
      await session.query('ROLLBACK');
      expect((await session.one('SELECT 7 AS seven'))['seven']).equal('7');
    });

  it('is a loss where the session does not answer any more', async () => {
    const wire = await Wire.to(server);
    try {
      session = await open({ port: wire.port });
      wire.onQuery = (text) => (text === '' ? 'CutBefore' : undefined);
      const lastWords = `DO $$ BEGIN RAISE EXCEPTION 'gone' USING ERRCODE = 'connection_failure'; END $$`;
      expect(await failure(session.query(lastWords))).instanceOf(ConnectionLost);
      expect(await failure(session.query('SELECT 1'))).instanceOf(ConnectionLost);
    } finally {
      await wire.close();
    }
  });

  it('fails the check that was answered so, and the run is undone at once', async () => {
    scenario = await Scenario.create(server, checking('SELECT public.ask_elsewhere()'));
    await scenario.sql(
      `CREATE FUNCTION public.ask_elsewhere() RETURNS int LANGUAGE plpgsql AS $$ BEGIN
         RAISE EXCEPTION 'could not connect to server "warehouse"' USING ERRCODE = 'sqlclient_unable_to_establish_sqlconnection';
       END $$`,
    );
    const operator = conduct(scenario, {});
    const runner = scenario.start();
    expect(await Promise.race([runner.ended, operator.failed])).equal('Finished');
    operator.stop();
    expect(scenario.step('Verify')).include({ state: 'Failed', reason: 'CheckFailed' });
    expect(scenario.step('Verify')?.message).contain('could not connect to server "warehouse" (SQLSTATE 08001)');
    await expectExactly(scenario, PUT_BACK);
  });

  it('is told with the server’s last words when it comes again and again in the same step, until that has passed', async () => {
    const isHeld = `EXISTS (SELECT FROM pg_roles WHERE rolname = 'hold ' || current_database())`;
    scenario = await Scenario.create(
      server,
      checking(`SELECT CASE WHEN ${isHeld} THEN pg_terminate_backend(pg_backend_pid())::int ELSE 0 END`),
    );
    await server.psql(`CREATE ROLE "hold ${scenario.database}"`);
    const operator = conduct(scenario, {});
    const runner = scenario.start();
    const { waitingFor } = await scenario.memory.when((status) => status.waitingFor !== undefined, 'the words');
    expect(waitingFor).equal(
      `step Verify was broken off 3 times and is tried again; the last time: the connection to database "${scenario.database}" was lost: terminating connection due to administrator command`,
    );
    const connected = scenario.memory.history.length;
    await scenario.memory.when(() => scenario!.memory.history.length > connected + 2, 'another look');
    expect(scenario.memory.runner.waitingFor).contain('step Verify was broken off');
    await server.psql(`DROP ROLE "hold ${scenario.database}"`);
    expect(await Promise.race([runner.ended, operator.failed])).equal('Finished');
    operator.stop();
    expect(scenario.memory.runner.waitingFor).equal(undefined);
    await expectExactly(scenario, MIGRATED);
  });

  it('does not come of a limit that somebody set for the role', async () => {
    const limits = [
      'statement_timeout',
      'idle_in_transaction_session_timeout',
      'idle_session_timeout',
      'transaction_timeout',
    ];
    const known = (await server.psql(`SELECT name FROM pg_settings WHERE name LIKE '%\\_timeout'`)).split('\n');
    const set = limits.filter((name) => known.includes(name));
    expect(set).include('idle_session_timeout');
    await server.psql(
      ['CREATE ROLE limited LOGIN', ...set.map((name) => `ALTER ROLE limited SET ${name} = '1h'`)].join(';'),
    );
    session = await open({ user: 'limited' });
    for (const moment of ['opened', 'pinned anew']) {
      for (const name of set) expect((await session.one(`SHOW ${name}`))[name], `${name} when ${moment}`).equal('0');
      await session.query(set.map((name) => `SET ${name} = '2h'`).join(';'));
      await session.pin();
    }
  });
});
