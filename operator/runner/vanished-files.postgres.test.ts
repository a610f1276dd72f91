import { expect } from 'chai';
import { startPostgres, type Postgres } from '../../e2e/cluster/postgres.ts';
import { Session } from './postgres/session.ts';
import { expectExactly, PUT_BACK } from './testing/exactly.ts';
import { FILES, Scenario, WAITING_FILES, type Files } from './testing/scenario.ts';

const GONE: Record<string, undefined> = Object.fromEntries(Object.keys(FILES).map((name) => [name, undefined]));
const INSERTED = { '0001a_late.up.sql': 'DELETE FROM item WHERE id = 1' };

describe('Migration files that are not there any more when the runner is started again', function () {
  this.timeout(60_000);
  let server: Postgres;
  let scenario: Scenario;

  before(async () => {
    server = await startPostgres();
  });
  after(() => server.stop());
  afterEach(() => scenario.end());

  async function prepared(options: Parameters<typeof Scenario.create>[1] = {}) {
    scenario = await Scenario.create(server, options);
    const runner = scenario.start();
    await scenario.reach('Prepared');
    return runner;
  }

  async function killedThen(runner: ReturnType<Scenario['start']>, files: Record<string, string | undefined>) {
    runner.kill();
    await runner.ended;
    await scenario.write(files);
    scenario.startNext();
  }

  async function killedWhileMigrating(files: Files, then: Record<string, string | undefined>): Promise<void> {
    const runner = await prepared({ files });
    const hold = await Session.open(
      { ...server, user: 'postgres', database: 'postgres' },
      'postgres',
      `hold ${scenario.database}`,
    );
    scenario.memory.setGoal('Migrated');
    await scenario.memory.when(({ steps }) => steps?.at(-1)?.name === 'Migrate', 'the migration');
    await killedThen(runner, then);
    await hold.close();
  }

  async function undone(): Promise<void> {
    await scenario.reach('RolledBack');
    await scenario.reach('Finished');
    await expectExactly(scenario, PUT_BACK);
  }

  it('have what was begun undone by itself, and it is said which file is missing', async () => {
    await killedWhileMigrating(WAITING_FILES, GONE);
    const { reason, message } = await scenario.failed('Migrate');
    expect(reason).equal('UnknownRevision');
    expect(message).match(
      /^the migration files of ConfigMap .* are not those .* revision "0001" has no migration file; there are none/,
    );
    expect(scenario.memory.runner.steps?.find(({ name }) => name === 'Fence')?.state).equal('Succeeded');
    await undone();
  });

  it('leave everything as it is where the outage had not begun', async () => {
    await killedThen(await prepared(), GONE);
    scenario.memory.setGoal('Migrated');
    expect((await scenario.failed('Fence')).reason).equal('UnknownRevision');
    expect(await scenario.clientCanConnect()).equal(true);
    expect(scenario.memory.runner.fence).equal(undefined);
  });

  it('have the restore point put back instead of down, which is said', async () => {
    const runner = await prepared({ plan: { rollback: { strategy: 'Down', restorePoint: 'Template' } } });
    scenario.memory.podsEndAtOnce = false;
    scenario.memory.setGoal('Migrated');
    await scenario.memory.when(({ databaseChanged }) => databaseChanged === 'Yes', 'the migration');
    scenario.memory.setGoal('RolledBack');
    await killedThen(runner, GONE);
    scenario.memory.podsEndAtOnce = true;
    await undone();
    expect(scenario.memory.runner.warnings?.join()).match(
      /down failed, so the restore point is put back: .*revision "0001" has no migration file/,
    );
  });

  it('do not matter any more when all was committed and verified', async () => {
    const runner = await prepared();
    scenario.memory.podsEndAtOnce = false;
    scenario.memory.setGoal('Migrated');
    await scenario.memory.when(
      ({ steps }) => steps?.some(({ name, state }) => name === 'Verify' && state === 'Succeeded') ?? false,
      'the verification',
    );
    await scenario.memory.when(({ databaseChanged }) => databaseChanged === 'Yes', 'the migration');
    await killedThen(runner, GONE);
    scenario.memory.podsEndAtOnce = true;
    await scenario.reach('Migrated');
    expect(await scenario.ledger()).equal('0001 up applied, 0002 up applied');
  });

  it('are named when only down could undo what clients have written to', async () => {
    const runner = await prepared();
    await scenario.reach('Migrated');
    await scenario.sql(`SET ROLE "${scenario.client}"; INSERT INTO item VALUES (4711, 1, 'of a client')`);
    scenario.memory.setGoal('RolledBack');
    await killedThen(runner, GONE);
    const { message } = await scenario.failed('Rollback');
    expect(message).match(/clients may have written since.*revision "0001" has no migration file; there are none/);
    scenario.memory.setResolution({ number: 1, action: 'RollBack', runnerEpoch: scenario.epoch + 1 });
    scenario.startNext();
    await undone();
  });

  it('are refused with one more among them that nobody judged', async () => {
    await killedWhileMigrating(WAITING_FILES, INSERTED);
    const { reason, message } = await scenario.failed('Migrate');
    expect(reason).equal('MigrationChanged');
    expect(message).contain('"0001a"');
    await undone();
  });
});
