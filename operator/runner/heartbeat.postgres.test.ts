import { expect } from 'chai';
import { startPostgres, type Postgres } from '../../e2e/cluster/postgres.ts';
import { isAtWork } from './heartbeat.ts';
import { Session } from './postgres/session.ts';
import { until } from './postgres/wait.ts';
import { Scenario } from './testing/scenario.ts';

describe('A statement that waits on the session with the lock', function () {
  this.timeout(90_000);
  let server: Postgres;
  let scenario: Scenario;
  const cleanUp: (() => unknown)[] = [];

  before(async () => {
    server = await startPostgres();
  });
  after(() => server.stop());
  afterEach(async () => {
    for (const end of cleanUp.splice(0)) await end();
    await scenario.end();
  });

  it('is known to another session, and so is that there is none', async () => {
    scenario = await Scenario.create(server);
    const open = async () => {
      const address = { ...server, user: scenario.owner, database: scenario.database };
      const session = await Session.open(address, 'postgres', 'the heartbeat');
      cleanUp.push(() => session.destroy());
      return session;
    };
    const session = await open();
    expect(await isAtWork(session, open)).equal(false);
    const statement = session.query('SELECT pg_sleep(2)');
    await until(1000, 'the statement', () => isAtWork(session, open));
    await statement;
    expect(await isAtWork(session, open)).equal(false);
    const heard = `SELECT count(*) FROM pg_stat_activity WHERE application_name = 'the heartbeat'`;
    await until(5000, 'the end of those who asked', async () => (await server.psql(heard)) === '1');
  });

  it('comes to its own end, and is not cut by the heartbeat', async () => {
    scenario = await Scenario.create(server);
    scenario.start();
    await scenario.reach('Prepared');
    const forgotten = await Session.open(
      { ...server, user: 'postgres', database: 'postgres' },
      'postgres',
      'forgotten',
    );
    cleanUp.push(() => forgotten.destroy());
    await forgotten.query(`BEGIN; ALTER ROLE "${scenario.client}" CONNECTION LIMIT 7`);
    scenario.memory.setGoal('Migrated');
    await scenario.memory.when(() => scenario.step('Fence')?.state === 'Failed', 'failure of Fence', 40_000);
    expect(scenario.step('Fence')?.message).contain('canceling statement due to lock timeout');
    await forgotten.close();
    await scenario.reach('RolledBack');
    expect(await scenario.clientCanConnect()).equal(true);
    await scenario.reach('Finished');
    expect(await scenario.leftovers()).deep.equal([]);
  });
});
