import { expect } from 'chai';
import { startPostgres, type Postgres } from '../../e2e/cluster/postgres.ts';
import { Session } from './postgres/session.ts';
import { until } from './postgres/wait.ts';
import { MIGRATED, PUT_BACK, expectExactly } from './testing/exactly.ts';
import { conduct } from './testing/operator.ts';
import { FILES, Scenario, WAITING_FILES } from './testing/scenario.ts';
import { Wire } from './testing/wire.ts';

const NEVER = { name: 'never', query: 'SELECT 1', expect: { value: '0' } };
const verification = { checks: [NEVER], rollbackChecks: [], jobs: [] };
const ALONE = Object.fromEntries(
  Object.entries(WAITING_FILES).map(([name, text]) => [
    name,
    name.startsWith('0002_price') ? `-- no-transaction\n${text}` : text,
  ]),
);

describe('Somebody whom the fence does not keep out', function () {
  this.timeout(30_000);
  let server: Postgres;
  let scenario: Scenario;
  let stranger: Session | undefined;

  before(async () => {
    server = await startPostgres();
    await server.psql('CREATE ROLE worker LOGIN');
  });
  after(() => server.stop());
  afterEach(async () => {
    stranger?.destroy();
    stranger = undefined;
    await scenario.end();
  });

  const logIn = (user: string, database: string, application: string) =>
    Session.open({ ...server, user, database }, database, application);

  const isUnderWay = async () => {
    const waiting = `SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = '${scenario.database}'`;
    return (await server.psql(waiting)) === '1';
  };

  /** Carries the run out while somebody in that role writes in the middle of the migration, and stays. */
  async function withStranger(user: string, files: Record<string, string>) {
    scenario = await Scenario.create(server, { files, plan: { verification } });
    const hold = await logIn('postgres', 'postgres', `hold ${scenario.database}`);
    const operator = conduct(scenario, {});
    const runner = scenario.start();
    await until(20_000, 'the migration', isUnderWay);
    stranger = await logIn(user === 'OWNER' ? scenario.owner : user, scenario.database, 'worker of the night');
    const table = files === ALONE ? 'public.item' : 'public.other';
    await stranger.query(`INSERT INTO ${table} VALUES (777, 7)`);
    await hold.close();
    expect(await Promise.race([runner.ended, operator.failed])).equal('Finished');
    operator.stop();
  }

  const found = () => scenario.memory.runner.warnings?.filter((text) => text.includes('although the fence was up'));

  it('has written what only `down` keeps, which undoes the run therefore', async () => {
    await withStranger('worker', ALONE);
    expect(scenario.memory.runner.clientWrites).equal('Possible');
    expect(found()?.join()).match(/^Somebody was connected .*: "worker of the night" as role "worker" from/);
    expect(scenario.step('Rollback')?.evidence?.['method']).equal('Down');
    expect(await scenario.sql('SELECT amount FROM item WHERE id = 777')).equal('7');
    expect(await scenario.sql('SELECT count(*) FROM item')).equal('101');
  });

  it('is told where it is the owner’s role, and does not keep the restore point from being put back', async () => {
    await withStranger('OWNER', ALONE);
    expect(scenario.memory.runner.clientWrites).equal('Impossible');
    expect(found()?.join()).contain('"worker of the night"');
    await expectExactly(scenario, PUT_BACK);
  });

  it('when the restore point is about to be put back leaves it to a person', async () => {
    const files = { ...FILES, '0002_price.up.sql': `-- no-transaction\n${FILES['0002_price.up.sql']}` };
    scenario = await Scenario.create(server, { files, plan: { verification } });
    const wire = await Wire.to(server);
    wire.onQuery = async (text) => {
      if (!/RENAME TO .*_failed_/.test(text) || stranger) return undefined;
      stranger = await logIn('worker', scenario.database, 'worker of the night');
      await stranger.query('INSERT INTO public.item VALUES (777, 7)');
      return undefined;
    };
    try {
      const operator = conduct(scenario, {});
      const runner = scenario.start({ databaseUrl: scenario.urlAt(wire.port) });
      const { message } = await scenario.failed('Rollback');
      expect(message).contain('what was written so would be lost');
      expect(await scenario.sql('SELECT price FROM item WHERE id = 777')).equal('7');
      expect(await scenario.clientCanConnect()).equal(false);
      scenario.memory.setResolution({ number: 1, action: 'Retry', runnerEpoch: scenario.epoch + 1 });
      runner.kill();
      await runner.ended;
      operator.stop();
      scenario.startNext({ databaseUrl: scenario.urlAt(wire.port) });
      await scenario.reach('RolledBack');
      expect(scenario.step('Rollback')?.evidence?.['method']).equal('Down');
      expect(scenario.memory.runner.restorePoint?.state).equal('Taken');
      expect(await scenario.sql('SELECT amount FROM item WHERE id = 777')).equal('7');
    } finally {
      await wire.close();
    }
  });

  for (const [title, rest, message, failed] of [
    ['fails', 'SELECT 1 / 0', 'division by zero', ['Rollback']],
    [
      'forgets a column',
      'ALTER TABLE item RENAME COLUMN price TO amount',
      'after down the schema is not what it was: column public.item.note is new',
      ['Rollback', 'VerifyRollback'],
    ],
  ] as const)
    it(`while a down that ${title} is under way loses nothing by the restore point`, async () => {
      const wait = WAITING_FILES['0002_price.up.sql'].slice(FILES['0002_price.up.sql']!.length + 1);
      const files = {
        ...FILES,
        '0002_price.up.sql': `-- no-transaction\n${FILES['0002_price.up.sql']}`,
        '0002_price.down.sql': `${wait}; ${rest}`,
      };
      const rollback = { strategy: 'Down', restorePoint: 'Auto' } as const;
      scenario = await Scenario.create(server, { files, plan: { verification, rollback } });
      const hold = await logIn('postgres', 'postgres', `hold ${scenario.database}`);
      const operator = conduct(scenario, {});
      scenario.start();
      await until(20_000, 'down', isUnderWay);
      stranger = await logIn('worker', scenario.database, 'worker of the night');
      await stranger.query('INSERT INTO public.item VALUES (777, 7)');
      await hold.close();
      const isDecided = async () =>
        scenario.memory.runner.restorePoint?.state === 'PutBack' ||
        (await scenario.holder())?.['state'] === 'NeedsHuman';
      await until(10_000, 'what becomes of it', isDecided);
      operator.stop();
      expect(await scenario.sql('SELECT count(*) FROM item WHERE id = 777'), 'the worker’s row').equal('1');
      const { steps = [], restorePoint, clientWrites } = scenario.memory.runner;
      const wayBack = steps.filter(({ name }) => name.includes('Rollback'));
      expect(wayBack.filter(({ state }) => state === 'Failed').map(({ name }) => name)).deep.equal(failed);
      expect(wayBack.filter(({ state }) => state === 'Running')).deep.equal([]);
      expect(scenario.step('Rollback')?.message).contain(message);
      expect({ state: restorePoint?.state, clientWrites }).deep.equal({ state: 'Taken', clientWrites: 'Possible' });
      expect(found()?.join()).contain('"worker of the night" as role "worker"');
    });

  it('is not the run’s own pg_dump', async () => {
    scenario = await Scenario.create(server, { plan: { rollback: { strategy: 'Auto', restorePoint: 'Dump' } } });
    const operator = conduct(scenario, {});
    const runner = scenario.start();
    expect(await Promise.race([runner.ended, operator.failed])).equal('Finished');
    operator.stop();
    expect(found()).deep.equal([]);
    await expectExactly(scenario, MIGRATED);
  });

  it('loses nothing where nothing was committed', async () => {
    const other = `CREATE TABLE other (id int, amount int); GRANT INSERT, SELECT ON other TO PUBLIC`;
    const base = { '0001_base.up.sql': `${FILES['0001_base.up.sql']}; ${other}` };
    await withStranger('worker', { ...WAITING_FILES, ...base });
    expect(scenario.step('Rollback')?.message).equal('Nothing was committed: there is nothing to undo.');
    expect(await scenario.sql('SELECT count(*) FROM other')).equal('1');
    await expectExactly(scenario, PUT_BACK);
  });
});
