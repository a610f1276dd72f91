import { expect } from 'chai';
import { startPostgres, type Postgres } from '../../e2e/cluster/postgres.ts';
import { Scenario } from './testing/scenario.ts';

describe('A run on a real PostgreSQL', function () {
  this.timeout(60_000);
  let server: Postgres;
  let scenario: Scenario;

  before(async () => {
    server = await startPostgres();
  });
  after(() => server.stop());
  afterEach(() => scenario.end());

  for (const ownerIsClient of [false, true]) {
    describe(ownerIsClient ? 'fenced by CONNECTION LIMIT' : 'fenced by NOLOGIN', () => {
      it('is carried through and leaves nothing behind', async () => {
        scenario = await Scenario.create(server, { ownerIsClient });
        const runner = scenario.start();
        await scenario.reach('Prepared');
        expect(await scenario.clientCanConnect()).equal(true);
        await scenario.reach('Migrated');
        const { databaseChanged, clientWrites, warnings, revision } = scenario.memory.runner;
        expect({ databaseChanged, clientWrites, revision }).deep.equal({
          databaseChanged: 'Yes',
          clientWrites: 'Possible',
          revision: '0002',
        });
        expect(warnings).include('100 items were renamed');
        await scenario.reach('Finished');
        expect(await runner.ended).equal('Finished');
        expect(await scenario.ledger()).equal('0001 up applied, 0002 up applied');
        expect(await scenario.sql('SELECT sum(price) FROM item')).equal('50500');
        expect(await scenario.leftovers()).deep.equal([]);
      });

      it('is rolled back by `down` after clients were let in', async () => {
        scenario = await Scenario.create(server, { ownerIsClient });
        const runner = scenario.start();
        await scenario.reach('Prepared');
        await scenario.reach('Migrated');
        await scenario.sql('INSERT INTO item (id, price) VALUES (1000, 7)');
        await scenario.reach('RolledBack');
        expect(await scenario.sql('SELECT sum(amount) FROM item')).equal('50507');
        await scenario.reach('Finished');
        await runner.ended;
        expect(await scenario.ledger()).equal('0001 up applied, 0002 up applied, 0002 down applied');
        expect(await scenario.leftovers()).deep.equal([]);
      });

      it('commits nothing when a check fails, and undoes the fence', async () => {
        scenario = await Scenario.create(server, {
          ownerIsClient,
          plan: {
            verification: {
              checks: [
                {
                  name: 'cheap',
                  query: 'SELECT max(price) FROM public.item',
                  expect: { value: '5' },
                  message: 'Too dear.',
                },
              ],
              rollbackChecks: [],
              jobs: [],
            },
          },
        });
        const runner = scenario.start();
        await scenario.reach('Prepared');
        scenario.memory.setGoal('Migrated');
        const { reason, message } = await scenario.failed('Verify');
        expect({ reason, message }).deep.equal({
          reason: 'CheckFailed',
          message: 'check "cheap": expected "5", got "1000". Too dear.',
        });
        expect(scenario.step('Migrate')?.state).equal('Skipped');
        expect(scenario.memory.runner.databaseChanged).equal('No');
        await scenario.reach('RolledBack');
        await scenario.reach('Finished');
        await runner.ended;
        expect(await scenario.ledger()).equal('0001 up applied');
        expect(await scenario.leftovers()).deep.equal([]);
      });
    });
  }
});
