import { expect } from 'chai';
import { startPostgres, type Postgres } from '../../e2e/cluster/postgres.ts';
import type { Goal } from '../api/phase-migration-run.ts';
import { expectExactly, MIGRATED } from './testing/exactly.ts';
import { conduct } from './testing/operator.ts';
import { Scenario } from './testing/scenario.ts';
import { Wire } from './testing/wire.ts';

describe('A run whose Secret is changed while it goes on', function () {
  this.timeout(60_000);
  let server: Postgres;
  let scenario: Scenario;

  before(async () => {
    server = await startPostgres();
  });
  after(() => server.stop());
  afterEach(() => scenario.end());

  const ways: { before: Goal; goal: Goal }[] = [
    { before: 'Prepared', goal: 'Migrated' },
    { before: 'Migrated', goal: 'RolledBack' },
    { before: 'Migrated', goal: 'Finished' },
  ];
  for (const { before, goal } of ways)
    it(`goes on with the new URL on its way to ${goal}, without another start`, async () => {
      scenario = await Scenario.create(server);
      const old = await Wire.to(server);
      let url = scenario.urlAt(old.port);
      const runner = scenario.start({ databaseUrl: () => url });
      scenario.memory.setGoal(before);
      await scenario.memory.when(({ reachedGoal }) => reachedGoal === before, `the goal ${before}`);
      await old.close();
      scenario.memory.setGoal(goal);
      await scenario.memory.when(
        ({ waitingFor }) => /cannot reach/.test(waitingFor ?? ''),
        'the old URL leads nowhere',
      );
      url = scenario.url;
      await scenario.memory.when(({ reachedGoal }) => reachedGoal === goal, `the goal ${goal}`);
      scenario.memory.setGoal('Finished');
      expect(await runner.ended).equal('Finished');
    });

  it('waits, and fails no step, while the server refuses new sessions of the role that is connected', async () => {
    scenario = await Scenario.create(server);
    const runner = scenario.start();
    await scenario.memory.when(({ reachedGoal }) => reachedGoal === 'Prepared', 'everything is prepared');
    await server.psql(`ALTER ROLE "${scenario.owner}" NOLOGIN`);
    const operator = conduct(scenario, {});
    await scenario.memory.when(({ waitingFor }) => /does not let role/.test(waitingFor ?? ''), 'the role is refused');
    await server.psql(`ALTER ROLE "${scenario.owner}" LOGIN`);
    expect(await Promise.race([runner.ended, operator.failed])).equal('Finished');
    operator.stop();
    expect(
      scenario.memory.history.flatMap(({ steps = [] }) => steps.filter(({ state }) => state === 'Failed')),
    ).deep.equal([]);
    await expectExactly(scenario, MIGRATED);
  });

  it('touches no other server, says so, and goes on when the URL leads back', async () => {
    const other = await startPostgres();
    try {
      scenario = await Scenario.create(server);
      const wire = await Wire.to(server);
      let url = scenario.urlAt(wire.port);
      const runner = scenario.start({ databaseUrl: () => url });
      await scenario.memory.when(({ reachedGoal }) => reachedGoal === 'Prepared', 'everything is prepared');
      await other.psql(`CREATE ROLE "${scenario.owner}" SUPERUSER LOGIN`);
      await other.psql(`CREATE DATABASE "${scenario.database}"`);
      url = scenario.urlAt(other.port);
      scenario.memory.setGoal('Migrated');
      await wire.close();
      const { waitingFor } = await scenario.memory.when(
        ({ waitingFor }) => /began on/.test(waitingFor ?? ''),
        'the other server is refused',
      );
      expect(waitingFor).contain(`database "${scenario.database}"`).and.contain('but this run began on');
      expect(
        await other.psql(
          `SELECT count(*) FROM pg_catalog.pg_namespace WHERE nspname = 'phasemigration'`,
          scenario.database,
        ),
      ).equal('0');
      expect(await other.psql(`SELECT to_regnamespace('phasemigration') IS NULL`)).equal('t');
      url = scenario.url;
      const operator = conduct(scenario, {});
      expect(await Promise.race([runner.ended, operator.failed])).equal('Finished');
      operator.stop();
      await expectExactly(scenario, MIGRATED);
    } finally {
      await other.stop();
    }
  });
});
