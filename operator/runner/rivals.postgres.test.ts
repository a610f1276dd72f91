import { expect } from 'chai';
import { lockKey } from './core/names.ts';
import { startPostgres, type Postgres } from '../../e2e/cluster/postgres.ts';
import { expectExactly, MIGRATED, PUT_BACK } from './testing/exactly.ts';
import { conduct } from './testing/operator.ts';
import { RunnerProcesses } from './testing/process.ts';
import { Scenario, WAITING_FILES } from './testing/scenario.ts';
import { Session } from './postgres/session.ts';
import { until } from './postgres/wait.ts';

describe('Two who want to work on one database', function () {
  this.timeout(60_000);
  let server: Postgres;
  let scenario: Scenario;
  let processes: RunnerProcesses;
  const sessions: Session[] = [];

  before(async () => {
    server = await startPostgres();
    processes = new RunnerProcesses();
  });
  after(async () => {
    await processes.end();
    await server.stop();
  });
  afterEach(async () => {
    for (const session of sessions.splice(0)) session.destroy();
    await scenario.end();
  });

  async function open(user: string, application: string): Promise<Session> {
    const session = await Session.open({ ...server, user, database: 'postgres' }, 'postgres', application);
    sessions.push(session);
    return session;
  }

  const sessionsOfStart = (epoch: number) =>
    server.psql(
      `SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'phasemigration shop/${scenario.memory.run.metadata.name} % e${epoch}'`,
    );

  const underWay = (step: string) =>
    scenario.memory.when(
      ({ steps }) => steps?.some(({ name, state }) => name === step && state === 'Running') ?? false,
      `the beginning of ${step}`,
    );

  it('ends the sessions of an older start in the middle of its migration, and migrates once', async () => {
    scenario = await Scenario.create(server, { files: WAITING_FILES });
    const hold = await open('postgres', `hold ${scenario.database}`);
    const operator = conduct(scenario, {});
    const older = scenario.start();
    await underWay('Migrate');
    const newer = scenario.startNext();
    expect(await older.ended).equal('Superseded');
    await scenario.memory.when(({ epoch }) => epoch === 2, 'the second start');
    await hold.close();
    expect(await Promise.race([newer.ended, operator.failed])).equal('Finished');
    operator.stop();
    await expectExactly(scenario, MIGRATED);
    expect(await scenario.sql(`SELECT epoch FROM phasemigration.ledger WHERE revision = '0002'`)).equal('2');
  });

  for (const step of ['Fence', 'RestorePoint', 'Migrate', 'Unfence'] as const)
    it(`lets a start that was frozen in ${step} write nothing when it wakes up`, async () => {
      scenario = await Scenario.create(server);
      const operator = conduct(scenario, {});
      const older = processes.start(scenario, 1, {
        signalAt: {
          at: ({ steps }) => steps?.some(({ name, state }) => name === step && state === 'Running') ?? false,
          signal: 'SIGSTOP',
        },
      });
      await older.signalled;
      expect(Number(await sessionsOfStart(1))).greaterThan(0);
      const newer = scenario.startNext();
      expect(await Promise.race([newer.ended, operator.failed])).equal('Finished');
      operator.stop();
      expect(await sessionsOfStart(1)).equal('0');
      const before = scenario.memory.history.length;
      older.signal('SIGCONT');
      expect(await older.ended).equal('Superseded');
      expect(scenario.memory.history.length).equal(before);
      await expectExactly(scenario, MIGRATED);
    });

  for (const step of ['Backup', 'Fence', 'RestorePoint', 'Migrate'] as const)
    it(`lets a start that was frozen in ${step} touch nothing when it wakes up in the middle of the newer one’s migration`, async () => {
      scenario = await Scenario.create(server, { files: WAITING_FILES });
      const hold = await open('postgres', `hold ${scenario.database}`);
      const operator = conduct(scenario, {});
      const older = processes.start(scenario, 1, {
        signalAt: {
          at: ({ steps }) => steps?.some(({ name, state }) => name === step && state === 'Running') ?? false,
          signal: 'SIGSTOP',
        },
      });
      await older.signalled;
      const newer = scenario.startNext();
      await scenario.memory.when(
        ({ epoch, steps }) =>
          epoch === 2 && (steps?.some(({ name, state }) => name === 'Migrate' && state === 'Running') ?? false),
        'the migration of the newer start',
      );
      await until(10_000, 'the newer start alone', async () => (await sessionsOfStart(1)) === '0');
      older.signal('SIGCONT');
      expect(await older.ended).equal('Superseded');
      expect(await sessionsOfStart(1)).equal('0');
      await hold.close();
      expect(await Promise.race([newer.ended, operator.failed])).equal('Finished');
      operator.stop();
      await expectExactly(scenario, MIGRATED);
      expect(await scenario.sql(`SELECT epoch FROM phasemigration.ledger WHERE revision = '0002'`)).equal('2');
    });

  for (const moment of ['Rollback', 'PuttingBack', 'RollbackUnfence'] as const)
    it(`lets a start that was frozen in ${moment} undo nothing a second time beside the newer one`, async () => {
      const jobs = [{ name: 'figures', image: 'figures:1', timeoutSeconds: 60 }];
      scenario = await Scenario.create(server, { plan: { verification: { checks: [], rollbackChecks: [], jobs } } });
      const operator = conduct(scenario, { failingJob: 'figures' });
      const older = processes.start(scenario, 1, {
        signalAt: {
          at: ({ steps, restorePoint }) =>
            restorePoint?.state === moment ||
            (steps?.some(({ name, state }) => name === moment && state === 'Running') ?? false),
          signal: 'SIGSTOP',
        },
      });
      await older.signalled;
      const newer = scenario.startNext();
      await scenario.memory.when(
        ({ epoch, steps }) =>
          epoch === 2 && (steps?.some(({ name, state }) => name === 'VerifyRollback' && state !== 'Failed') ?? false),
        'the newer start at work',
      );
      older.signal('SIGCONT');
      expect(await older.ended).equal('Superseded');
      expect(await Promise.race([newer.ended, operator.failed])).equal('Finished');
      operator.stop();
      await expectExactly(scenario, PUT_BACK);
    });

  it('lets a start that is cut off from the API server touch nothing after the newer one', async () => {
    scenario = await Scenario.create(server);
    const operator = conduct(scenario, {});
    const inner = scenario.memory.port(1);
    let heal = () => undefined as void;
    const healed = new Promise<void>((resolve) => (heal = resolve));
    let isCutOff = false;
    const gated = async <T>(act: () => Promise<T>): Promise<T> => {
      if (isCutOff) await healed;
      return act();
    };
    const older = scenario.start({
      port: {
        get: () => gated(() => inner.get()),
        claim: (status) => gated(() => inner.claim(status)),
        report: (status) => gated(() => inner.report(status)),
        watch: (onChange, signal) => inner.watch((run) => isCutOff || onChange(run), signal),
      },
    });
    await underWay('Migrate');
    isCutOff = true;
    const newer = scenario.startNext();
    expect(await Promise.race([newer.ended, operator.failed])).equal('Finished');
    operator.stop();
    expect(await sessionsOfStart(1)).equal('0');
    await expectExactly(scenario, MIGRATED);
    heal();
    expect(await older.ended).equal('Superseded');
    await expectExactly(scenario, MIGRATED);
  });

  it('waits for another run on the same database, says whose it is, and goes on when that has ended', async () => {
    scenario = await Scenario.create(server);
    const other = await open(scenario.owner, 'phasemigration shop/another-run abcdef e1');
    await other.query('SELECT pg_advisory_lock($1::int8)', [lockKey('database', scenario.database)]);
    const operator = conduct(scenario, {});
    const runner = scenario.start();
    const { waitingFor, steps } = await scenario.memory.when(
      (status) => status.waitingFor !== undefined,
      'the wait for the lock',
    );
    expect(waitingFor).equal(
      `Database "${scenario.database}" is being worked on by "phasemigration shop/another-run abcdef e1" (role "${scenario.owner}" from 127.0.0.1, pid ${other.pid})`,
    );
    expect(steps?.find(({ name }) => name === 'Preflight')).include({ state: 'Running', reason: 'WaitingForLock' });
    await other.close();
    expect(await Promise.race([runner.ended, operator.failed])).equal('Finished');
    operator.stop();
    expect(scenario.memory.runner.waitingFor).equal(undefined);
    await expectExactly(scenario, MIGRATED);
  });

  it('waits for a run that fences the same role off another database', async () => {
    scenario = await Scenario.create(server);
    const other = await open(scenario.owner, 'phasemigration shop/another-run abcdef e1');
    await other.query('SELECT pg_advisory_lock($1::int8)', [lockKey('role', scenario.client)]);
    const runner = scenario.start();
    const { waitingFor } = await scenario.memory.when((status) => status.waitingFor !== undefined, 'the wait');
    expect(waitingFor).match(new RegExp(`^Role "${scenario.client}" is being worked on by "phasemigration shop/ano`));
    runner.kill();
    await runner.ended;
  });

  it('ends a forgotten session of an earlier start of the same run', async () => {
    scenario = await Scenario.create(server);
    const operator = conduct(scenario, {});
    const older = processes.start(scenario, 1, {
      signalAt: { at: ({ reachedGoal }) => reachedGoal === 'Prepared', signal: 'SIGSTOP' },
    });
    await older.signalled;
    const newer = scenario.startNext();
    expect(await Promise.race([newer.ended, operator.failed])).equal('Finished');
    operator.stop();
    older.signal('SIGKILL');
    await older.ended;
    await expectExactly(scenario, MIGRATED);
  });

  it('does not commit when somebody ended the session that holds its lock', async () => {
    scenario = await Scenario.create(server, { files: WAITING_FILES });
    const hold = await open('postgres', `hold ${scenario.database}`);
    const operator = conduct(scenario, {});
    const runner = scenario.start();
    await underWay('Migrate');
    await server.psql(
      `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND pid IN (SELECT pid FROM pg_stat_activity WHERE application_name LIKE '% e1')`,
    );
    await hold.close();
    expect(await Promise.race([runner.ended, operator.failed])).equal('Finished');
    operator.stop();
    await expectExactly(scenario, MIGRATED);
  });
});
