import { expect } from 'chai';
import { RUN_PROTOCOL } from '../api/names.ts';
import pg from 'pg';
import { startPostgres, type Postgres } from '../../e2e/cluster/postgres.ts';
import { conduct } from './testing/operator.ts';
import { FILES, Scenario } from './testing/scenario.ts';

describe('A run on a real PostgreSQL', function () {
  this.timeout(60_000);
  let server: Postgres;
  let scenario: Scenario;

  before(async () => {
    server = await startPostgres();
  });
  after(() => server.stop());
  afterEach(() => scenario.end());

  it('tells no password that a migration, a check, a figure or a definition speaks of', async () => {
    const url = (password: string) => `postgres://u:${password}@h/db`;
    // Where an answer is shortened a part of it must not be left either.
    const cutAt = (length: number) => `${'x'.repeat(length - 40)} ${url(`hunter2${'y'.repeat(60)}`)}`;
    const long = cutAt(300);
    const files = {
      '0001_base.up.sql': `${FILES['0001_base.up.sql']}; CREATE VIEW place AS SELECT text 'here' AS url`,
      '0002_price.up.sql': `-- no-transaction
        ${FILES['0002_price.up.sql']};
        DO $$ BEGIN RAISE WARNING 'moved to ${url('hunter2')}' ; END $$`,
      '0002_price.down.sql': `${FILES['0002_price.down.sql']};
        CREATE OR REPLACE VIEW place AS SELECT text '${cutAt(110)}' AS url`,
    };
    const check = (query: string, rows?: number) => ({ name: query.slice(0, 9), query, expect: { rows, value: '0' } });
    const checks = [
      check(`SELECT '${long}' AS url`, 0),
      check(`SELECT '${url('hunter2')}'`),
      check(`SELECT '${long}'`),
    ];
    const snapshots = [{ name: 'source', query: `SELECT '${long}'`, queryAfter: `SELECT '${url('hunter2')}'` }];
    const rollback = { strategy: 'Down', restorePoint: 'Template' } as const;
    const plan = { verification: { checks, rollbackChecks: [], jobs: [] }, snapshots, rollback };
    scenario = await Scenario.create(server, { files, plan });
    const operator = conduct(scenario, {});
    const runner = scenario.start();
    expect(await Promise.race([runner.ended, operator.failed])).equal('Finished');
    operator.stop();
    expect(scenario.memory.runner.warnings).include('moved to postgres://u:***@h/db');
    expect(scenario.step('Verify')?.message).match(/figure "source" was .*\n.*\n.*\ncheck/);
    expect(scenario.step('Rollback')?.evidence?.['failedDown']).contain('relation public.place was');
    for (const { snapshots: _figures, ...told } of scenario.memory.history)
      expect(JSON.stringify(told)).not.contain('hunter');
  });

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

  it('asks the checks of the old schema only on the way up', async () => {
    const checks = [{ name: 'old', query: 'SELECT count(*) FROM item WHERE amount < 0', expect: { value: '0' } }];
    const spec = { direction: 'Down' as const, startRevision: '0002', targetRevision: '0001' };
    const preflight = { minPostgresVersion: 11, freeDiskFactor: 2, checks };
    scenario = await Scenario.create(server, { spec, plan: { preflight } });
    scenario.start();
    await scenario.reach('Prepared');
    expect(scenario.step('Preflight')?.message).not.contain('checks');
    await scenario.reach('Migrated');
    expect(await scenario.sql('SELECT sum(amount) FROM item')).equal('50500');
  });

  it('says of every step what a person wants to know', async () => {
    scenario = await Scenario.create(server, {
      plan: {
        verification: {
          checks: [
            { name: 'no negative price', query: 'SELECT count(*) FROM public.item WHERE price < 0', expect: {} },
          ],
          rollbackChecks: [],
          jobs: [{ name: 'figures', image: 'figures:1', timeoutSeconds: 60 }],
        },
      },
    });
    await server.psql(`GRANT pg_read_all_stats TO "${scenario.owner}"`);
    const client = new pg.Client({
      ...{ host: server.host, port: server.port, user: scenario.client, database: scenario.database },
      application_name: 'shop-backend',
    });
    client.on('error', () => undefined);
    await client.connect();
    const runner = scenario.start();
    await scenario.reach('Prepared');
    scenario.memory.setGoal('Migrated');
    await scenario.memory.when(({ verificationReleased }) => verificationReleased === true, 'the verification Job');
    expect(Object.fromEntries(messages())).include({ Verify: undefined });
    const job = { name: 'figures', jobName: 'job', epoch: 1 };
    scenario.memory.setStatus({ verificationJobs: [{ ...job, state: 'Succeeded' }] });
    await scenario.reach('Migrated');
    await scenario.reach('RolledBack');
    await scenario.reach('Finished');
    await runner.ended;
    const patterns: Record<string, RegExp> = {
      Preflight: /^PostgreSQL 15\.\d+, [78]\.\d MB, at revision 0001\.$/,
      Backup: /^5\.\d kB in \/.*\.dump, SHA-256 [0-9a-f]{12}…, read back whole\. 2 tables with 101 rows hashed\.$/,
      Fence: new RegExp(`^Roles refused: ${scenario.client}; 1 session ended \\(shop-backend 127.0.0.1: 1\\)\\.$`),
      RestorePoint: new RegExp(`^Template database ${scenario.database}_restore_[0-9a-f]{8}, \\d+ kB in .* m?s\\.$`),
      Snapshot: /^1 figure recorded, equal in the restore point\.$/,
      Migrate: /^0002 applied in \d+ ms\.$/,
      Verify: /^1 of 1 checks and 1 figure as expected, before COMMIT; 1 of 1 verification Jobs succeeded\.$/,
      Unfence: new RegExp(`^Roles admitted again: ${scenario.client}\\.$`),
      RollbackFence: new RegExp(`^Roles refused: ${scenario.client}; 0 sessions ended\\.$`),
      Rollback: /^0002 undone in \d+ ms\.$/,
      VerifyRollback: /^1 figure as expected\.$/,
      RollbackUnfence: new RegExp(`^Roles admitted again: ${scenario.client}\\.$`),
    };
    const said = messages();
    expect(said.map(([name]) => name)).have.members(Object.keys(patterns));
    for (const [name, message] of said) expect(message, name).match(patterns[name]!);
  });

  const messages = () => (scenario.memory.runner.steps ?? []).map(({ name, message }) => [name, message] as const);

  it('tells what fails between two steps as the failure of the step that was to begin', async () => {
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

  it('touches nothing of a run that a newer operator began', async () => {
    scenario = await Scenario.create(server, { spec: { protocol: RUN_PROTOCOL + 1 } });
    const refused = await scenario.start().ended.then(
      () => 'ended',
      (error: unknown) => String(error),
    );
    expect(refused).match(
      new RegExp(
        `rename-amount-\\d+ needs a newer runner \\(protocol ${RUN_PROTOCOL + 1}; this one understands ${RUN_PROTOCOL}\\): nothing was touched`,
      ),
    );
    expect(scenario.memory.history).deep.equal([]);
    expect(await scenario.sessions()).equal('');
  });
});
