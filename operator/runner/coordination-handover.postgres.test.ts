import { hostname } from 'node:os';
import { expect } from 'chai';
import { startPostgres, type Postgres } from '../../e2e/cluster/postgres.ts';
import { migrateByHand } from './by-hand.ts';
import { Session } from './postgres/session.ts';
import { until } from './postgres/wait.ts';
import { expectExactly, MIGRATED } from './testing/exactly.ts';
import { conduct } from './testing/operator.ts';
import { RunnerProcesses } from './testing/process.ts';
import { Scenario, WAITING_FILES } from './testing/scenario.ts';

const JOB = { name: 'figures', image: 'figures:1', timeoutSeconds: 60 };

describe('Work on a database', function () {
  this.timeout(60_000);
  let server: Postgres;
  let scenario: Scenario;
  let processes: RunnerProcesses;
  const cleanUp: (() => unknown)[] = [];

  before(async () => {
    server = await startPostgres();
    processes = new RunnerProcesses();
  });
  after(async () => {
    await processes.end();
    await server.stop();
  });
  afterEach(async () => {
    for (const end of cleanUp.splice(0)) await end();
    await scenario.end();
  });

  async function open(user: string, application: string, database = 'postgres'): Promise<Session> {
    const session = await Session.open({ ...server, user, database }, database, application);
    cleanUp.push(() => session.destroy());
    return session;
  }

  const hold = () => open('postgres', `hold ${scenario.database}`);
  const isAtStep = (step: string) => async () => (await scenario.holder())?.['step'] === step;

  const waits = () => scenario.memory.when(({ waitingFor }) => waitingFor !== undefined, 'the wait for the lock');

  const byHand = (to = '0002', print: string[] = []) =>
    migrateByHand({
      ...{ databaseUrl: scenario.url, maintenanceDatabase: 'postgres', folder: scenario.folders.migrations, to },
      ...{ direction: 'up', print: (line) => print.push(line) },
    });

  async function carriedThrough(runner: { ended: Promise<unknown> }): Promise<void> {
    const operator = conduct(scenario, {});
    expect(await Promise.race([runner.ended, operator.failed])).equal('Finished');
    operator.stop();
  }

  describe('by hand', () => {
    it('is refused while a run goes on, also while its restore point takes the database’s place', async () => {
      scenario = await Scenario.create(server, {
        plan: { verification: { checks: [], rollbackChecks: [], jobs: [JOB] } },
      });
      const operator = conduct(scenario, { failingJob: JOB.name });
      const older = processes.start(scenario, 1, {
        signalAt: { at: ({ restorePoint }) => restorePoint?.state === 'PuttingBack', signal: 'SIGSTOP' },
      });
      await older.signalled;
      const { name } = scenario.memory.run.metadata;
      const refusal = await byHand().then(() => 'migrated', String);
      expect(refusal).match(
        new RegExp(
          `Database "${scenario.database}" is being worked on by run shop/${name} \\(start 1\\), at step Rollback, since .*, last heartbeat .*; try again when it has ended`,
        ),
      );
      older.signal('SIGCONT');
      expect(await Promise.race([older.ended, operator.failed])).equal('Finished');
      operator.stop();
      expect(await scenario.ledger()).equal('0001 up applied');
      expect(await scenario.leftovers()).deep.equal([]);
    });

    it('keeps a run waiting, which is told who it is', async () => {
      scenario = await Scenario.create(server, { files: WAITING_FILES });
      const held = await hold();
      const migrating = byHand();
      await until(10_000, 'the migration', isAtStep('0002_price up'));
      const runner = scenario.start();
      const { waitingFor } = await waits();
      expect(waitingFor)
        .contain(`is being worked on by ${process.env.USER ?? ''}`)
        .and.contain(`@${hostname()}, at step 0002_price up, since `)
        .and.contain('"phasemigration by hand ');
      await held.close();
      await migrating;
      await scenario.memory.when(({ reachedGoal }) => reachedGoal === 'Prepared', 'the run is prepared');
      expect(scenario.memory.runner.alreadyAtTarget).equal(true);
      scenario.memory.setGoal('Finished');
      expect(await runner.ended).equal('Finished');
      expect(await scenario.leftovers()).deep.equal([]);
    });

    it('commits nothing when the session with its lock was ended', async () => {
      scenario = await Scenario.create(server, { files: WAITING_FILES });
      const held = await hold();
      const migrating = byHand().then(() => 'migrated', String);
      await until(10_000, 'the migration', isAtStep('0002_price up'));
      const { lock_pid: pid } = (await scenario.holder())!;
      await server.psql(`SELECT pg_terminate_backend(${String(pid)})`);
      await held.close();
      expect(await migrating).match(/the session that held the lock on database "shop \d+" has ended; nothing more/);
      expect(await scenario.ledger()).equal('0001 up applied');
    });
  });

  describe('of somebody who ended without a word', () => {
    /** The row of a run that was lost in the middle of its migration. */
    const lost = (state: string, ago: string) =>
      server.psql(
        `INSERT INTO phasemigration.holder (database, holder, run_uid, epoch, pod, step, state, lock_key, lock_pid, heartbeat_at)
         VALUES ('${scenario.database}', 'north/lost-1', 'uid', 3, 'lost-pod', 'Migrate', '${state}', 0, 0, now() - interval '${ago}')`,
      );

    it('is waited for while he may come back, and then is taken over from with a warning', async () => {
      scenario = await Scenario.create(server);
      await lost('Working', '1 second');
      const runner = scenario.start();
      const { waitingFor } = await waits();
      expect(waitingFor).match(
        /^Database "shop \d+" was worked on a moment ago by run north\/lost-1 \(start 3, pod lost-pod\), at step Migrate, since .*, and its lock is free without a word of the end: it may come back, and is waited for until it has been silent for 60 s; last heartbeat \d{4}-/,
      );
      await server.psql(`UPDATE phasemigration.holder SET heartbeat_at = now() - interval '61 seconds'`);
      await carriedThrough(runner);
      expect(scenario.memory.runner.warnings?.join()).match(
        /The lock on database "shop \d+" was taken over from run north\/lost-1 \(start 3, pod lost-pod\), at step Migrate, since .*: last heartbeat \d{4}-.*, no session of it holds the lock, and it did not say that it had ended\./,
      );
      await expectExactly(scenario, MIGRATED);
    });

    it('and waits for a person is waited for like any other', async () => {
      scenario = await Scenario.create(server);
      await lost('NeedsHuman', '1 second');
      const refusal = await byHand().then(() => 'migrated', String);
      expect(refusal).match(
        /by run north\/lost-1 .*, which waits for a person’s decision, at step Migrate, .* may come/,
      );
      await server.psql(`UPDATE phasemigration.holder SET heartbeat_at = now() - interval '61 seconds'`);
      const printed: string[] = [];
      await byHand('0002', printed);
      expect(printed[0]).match(
        /^warning: The lock on database .* was taken over from run north\/lost-1 .*, which waits for a person’s decision, at step Migrate/,
      );
      expect(await scenario.ledger()).equal('0001 up applied, 0002 up applied');
      expect(await scenario.holder()).equal(undefined);
    });

    it('and is the same run is followed by its next start at once, without a warning', async () => {
      scenario = await Scenario.create(server);
      const first = processes.start(scenario, 1, {
        signalAt: { at: ({ reachedGoal }) => reachedGoal === 'Prepared', signal: 'SIGKILL' },
      });
      expect(await first.ended).equal('killed');
      const left = (await scenario.holder())!;
      expect(left).include({ epoch: 1, state: 'Working' });
      const runner = scenario.startNext();
      await scenario.memory.when(
        ({ reachedGoal, epoch }) => reachedGoal === 'Prepared' && epoch === 2,
        'prepared again',
      );
      expect(await scenario.holder()).include({ epoch: 2, started_at: left['started_at'] });
      expect(scenario.memory.history.some(({ waitingFor }) => waitingFor?.includes('may come back'))).equal(false);
      await carriedThrough(runner);
      expect(scenario.memory.runner.warnings?.join()).not.contain('taken over');
      await expectExactly(scenario, MIGRATED);
    });

    it('and whose run ends untouched leaves nothing behind', async () => {
      scenario = await Scenario.create(server);
      const first = processes.start(scenario, 1, {
        signalAt: { at: ({ reachedGoal }) => reachedGoal === 'Prepared', signal: 'SIGKILL' },
      });
      expect(await first.ended).equal('killed');
      expect(await scenario.holder()).include({ epoch: 1 });
      scenario.memory.setGoal('Finished');
      expect(await scenario.startNext().ended).equal('Finished');
      expect(await scenario.leftovers()).deep.equal([]);
    });
  });
});
