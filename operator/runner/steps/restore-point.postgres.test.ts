import { expect } from 'chai';
import { startPostgres, type Postgres } from '../../../e2e/cluster/postgres.ts';
import { expectExactly, PUT_BACK } from '../testing/exactly.ts';
import { conduct } from '../testing/operator.ts';
import { FILES, Scenario } from '../testing/scenario.ts';

/** Differs between a database and its copy, as nothing else can be made to. */
const snapshots = [{ name: 'place', query: 'SELECT current_database()' }];

describe('A restore point whose figures differ from the original’s', function () {
  this.timeout(60_000);
  let server: Postgres;
  let scenario: Scenario;

  before(async () => {
    server = await startPostgres();
  });
  after(() => server.stop());
  afterEach(() => scenario.end());

  for (const [title, files] of [
    ['in one transaction', FILES],
    ['outside a transaction', { ...FILES, '0002_price.up.sql': `-- no-transaction\n${FILES['0002_price.up.sql']}` }],
  ] as const)
    it(`lets nothing of a migration ${title} be committed`, async () => {
      scenario = await Scenario.create(server, { files, plan: { snapshots } });
      const operator = conduct(scenario, {});
      const runner = scenario.start();
      expect(await Promise.race([runner.ended, operator.failed])).equal('Finished');
      operator.stop();
      const failed = scenario.step('Snapshot');
      expect(failed?.reason).equal('RestorePointFailed');
      expect(failed?.message).contain('figure "place" differs in the copy');
      const committed = scenario.memory.history.filter(({ databaseChanged }) => databaseChanged === 'Yes');
      expect(committed, 'reports of a change').deep.equal([]);
      await expectExactly(scenario, PUT_BACK);
    });
});
