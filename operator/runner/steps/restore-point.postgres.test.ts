import { expect } from 'chai';
import { startPostgres, type Postgres } from '../../../e2e/cluster/postgres.ts';
import { expectExactly, PUT_BACK } from '../testing/exactly.ts';
import { conduct } from '../testing/operator.ts';
import { FILES, Scenario } from '../testing/scenario.ts';
import { Session } from '../postgres/session.ts';

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

describe('A restore point that is gone although it is recorded as taken', function () {
  this.timeout(60_000);
  let server: Postgres;
  let scenario: Scenario;

  before(async () => {
    server = await startPostgres();
  });
  after(() => server.stop());
  afterEach(() => scenario.end());

  it('is taken again before anything is migrated', async () => {
    const held = "EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'hold ' || current_database())";
    const up = `${FILES['0002_price.up.sql']}; DO $$ BEGIN WHILE ${held} LOOP PERFORM pg_sleep(0.01); END LOOP; END $$`;
    const job = { name: 'figures', image: 'figures:1', timeoutSeconds: 60 };
    const verification = { checks: [], rollbackChecks: [], jobs: [job] };
    scenario = await Scenario.create(server, { files: { ...FILES, '0002_price.up.sql': up }, plan: { verification } });
    const address = { ...server, user: 'postgres', database: 'postgres' };
    const hold = await Session.open(address, 'postgres', `hold ${scenario.database}`);
    const operator = conduct(scenario, { failingJob: job.name });
    const first = scenario.start();
    const { restorePoint } = await scenario.memory.when(
      ({ steps, restorePoint }) =>
        restorePoint?.state === 'Taken' &&
        steps?.some(({ name, state }) => name === 'Migrate' && state === 'Running') === true,
      'the migration is under way',
    );
    first.kill();
    await first.ended;
    await server.psql(`DROP DATABASE "${restorePoint?.database}" WITH (FORCE)`);
    const second = scenario.startNext();
    await hold.close();
    expect(await Promise.race([second.ended, operator.failed])).equal('Finished');
    operator.stop();
    expect(scenario.step('Rollback')?.message).match(/^The restore point took/);
    await expectExactly(scenario, PUT_BACK);
  });
});

describe('What fails between two steps', function () {
  this.timeout(60_000);
  let server: Postgres;
  let scenario: Scenario;

  before(async () => {
    server = await startPostgres();
  });
  after(() => server.stop());
  afterEach(() => scenario.end());

  it('is told as the failure of the step that was to begin', async () => {
    scenario = await Scenario.create(server);
    scenario.start();
    await scenario.memory.when(({ reachedGoal }) => reachedGoal === 'Prepared', 'everything is prepared');
    await server.psql('SET session_replication_role = replica; TRUNCATE phasemigration.ledger', scenario.database);
    scenario.memory.setGoal('Migrated');
    const { steps } = await scenario.memory.when(
      ({ steps }) => steps?.some(({ state }) => state === 'Failed') === true,
      'a step has failed',
    );
    const failed = steps?.find(({ state }) => state === 'Failed');
    expect(failed).to.include({ name: 'Fence', reason: 'UnexpectedRevision' });
    expect(failed?.message).contain('the ledger of database');
  });
});
