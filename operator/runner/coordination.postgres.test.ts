import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { startPostgres, type Postgres } from '../../e2e/cluster/postgres.ts';
import { lockKey } from './core/names.ts';
import { tryLock } from './postgres/lock.ts';
import { Session } from './postgres/session.ts';
import { until } from './postgres/wait.ts';
import { expectExactly, MIGRATED } from './testing/exactly.ts';
import type { MemoryRun } from './testing/memory-port.ts';
import { conduct } from './testing/operator.ts';
import { startRival, type Rival } from './testing/rival.ts';
import { FILES, Scenario, WAITING_FILES } from './testing/scenario.ts';

/** The query of docs/troubleshooting.md, which people ask with psql. */
async function documentedQuery(): Promise<string> {
  const text = await readFile(join(import.meta.dirname, '../../docs/troubleshooting.md'), 'utf8');
  return /```sql\n(-- psql --dbname=postgres\n.*?)```/s.exec(text)![1]!;
}

describe('Who works on a database', function () {
  this.timeout(60_000);
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

  async function open(user: string, application: string, database = 'postgres'): Promise<Session> {
    const session = await Session.open({ ...server, user, database }, database, application);
    cleanUp.push(() => session.destroy());
    return session;
  }

  const hold = () => open('postgres', `hold ${scenario.database}`);
  const isAtStep = (step: string) => async () => (await scenario.holder())?.['step'] === step;

  function anotherRun(changes: { maintenanceDatabase?: string } = {}): Rival {
    const rival = startRival(scenario, changes);
    cleanUp.push(rival.end);
    return rival;
  }

  const waits = ({ memory }: { memory: MemoryRun }) =>
    memory.when(({ waitingFor }) => waitingFor !== undefined, 'the wait for the lock');

  async function carriedThrough(runner: { ended: Promise<unknown> }): Promise<void> {
    const operator = conduct(scenario, {});
    expect(await Promise.race([runner.ended, operator.failed])).equal('Finished');
    operator.stop();
  }

  it('is said in one place from the beginning to the end, with step and heartbeat', async () => {
    scenario = await Scenario.create(server, { files: WAITING_FILES });
    const held = await hold();
    const runner = scenario.start();
    await scenario.reach('Prepared');
    await until(5000, 'the last step', isAtStep('Backup'));
    const prepared = (await scenario.holder())!;
    const { metadata } = scenario.memory.run;
    expect(prepared).include({ holder: `shop/${metadata.name}`, run_uid: metadata.uid, epoch: 1, state: 'Working' });
    const key = lockKey('database', scenario.database);
    expect(
      await server.psql(
        `SELECT count(*) FROM pg_locks l, phasemigration.holder h WHERE l.pid = h.lock_pid AND h.lock_key = ${key}
           AND l.locktype = 'advisory' AND ((l.classid::int8 << 32) | l.objid::int8) = h.lock_key`,
      ),
    ).equal('1');
    await until(
      10_000,
      'another heartbeat',
      async () => (await scenario.holder())?.['heartbeat_at'] !== prepared['heartbeat_at'],
    );
    const end = carriedThrough(runner);
    await until(10_000, 'the migration', isAtStep('Migrate'));
    expect((await scenario.holder())!['started_at']).equal(prepared['started_at']);
    await held.close();
    await end;
    expect(await scenario.holder()).equal(undefined);
    await expectExactly(scenario, MIGRATED);
  });

  it('is answered by the query of docs/troubleshooting.md, also about who has gone', async () => {
    scenario = await Scenario.create(server);
    const runner = scenario.start();
    await scenario.reach('Prepared');
    await until(5000, 'the last step', isAtStep('Backup'));
    const { name } = scenario.memory.run.metadata;
    const answer = async () => {
      const lines = (await server.psql(await documentedQuery())).split('\n');
      return lines.filter((line) => line.startsWith(`${scenario.database}|`));
    };
    const { lock_pid: pid } = (await scenario.holder())!;
    const when = String.raw`[^|]+\|[^|]+`;
    expect(await answer()).have.length(1);
    expect((await answer())[0]).match(
      new RegExp(
        `^${scenario.database}\\|shop/${name}\\|\\|1\\|\\|Backup\\|Working\\|${when}\\|${String(pid)}\\|${scenario.owner}\\|127`,
      ),
    );
    runner.kill();
    await runner.ended;
    await until(5000, 'the end of its sessions', async () => (await answer())[0]?.endsWith('|||') ?? false);
  });

  it('is told to a run of another cluster, which goes on when the first one has ended', async () => {
    scenario = await Scenario.create(server, { files: WAITING_FILES });
    const held = await hold();
    const first = anotherRun();
    await first.memory.when(({ reachedGoal }) => reachedGoal === 'Prepared', 'the first run is prepared');
    first.memory.setGoal('Migrated');
    await until(10_000, 'the migration', isAtStep('Migrate'));
    const second = scenario.start();
    const { waitingFor, steps } = await waits(scenario);
    expect(waitingFor).match(
      new RegExp(
        `^Database "${scenario.database}" is being worked on by run north/rival-1 of cluster north \\(start 1, pod rival-pod\\), at step Migrate, since \\d{4}-\\S+Z, last heartbeat \\d{4}-\\S+Z; its session is "phasemigration north/rival-1 [0-9a-f]{6} e1" \\(role "${scenario.owner}" from 127\\.0\\.0\\.1, pid \\d+\\)$`,
      ),
    );
    expect(steps?.find(({ name }) => name === 'Preflight')).include({ state: 'Running', reason: 'WaitingForLock' });
    await held.close();
    await first.memory.when(({ reachedGoal }) => reachedGoal === 'Migrated', 'the first run has migrated');
    first.memory.setGoal('Finished');
    expect(await first.ended).equal('Finished');
    await scenario.memory.when(({ reachedGoal }) => reachedGoal === 'Prepared', 'the second run is prepared');
    expect(scenario.memory.runner.alreadyAtTarget).equal(true);
    expect(scenario.memory.runner.warnings?.join() ?? '').not.contain('taken over');
    scenario.memory.setGoal('Finished');
    expect(await second.ended).equal('Finished');
    expect(await scenario.ledger()).equal('0001 up applied, 0002 up applied');
    expect(await scenario.leftovers()).deep.equal([]);
  });

  it('is told at most once a minute because of the heartbeat alone', async () => {
    scenario = await Scenario.create(server);
    await server.psql(
      `INSERT INTO phasemigration.holder (database, holder, lock_key, lock_pid) VALUES ('${scenario.database}', 'x', 0, 0)`,
    );
    scenario.start();
    await waits(scenario);
    const told = scenario.memory.history.length;
    // Each is another sentence, if it were told.
    for (let beat = 1; beat <= 2; beat++) {
      await server.psql(`UPDATE phasemigration.holder SET heartbeat_at = now() + interval '${beat} seconds'`);
      const asked = await countOfLooks();
      await until(5000, 'another look at the lock', async () => (await countOfLooks()) > asked);
    }
    expect(scenario.memory.history.length).equal(told);
    await server.psql('DELETE FROM phasemigration.holder');
    await scenario.memory.when(({ waitingFor }) => waitingFor === undefined, 'the end of the wait');
  });

  /** How often rows of the table were looked for; statistics come a moment late. */
  const countOfLooks = async () =>
    Number(
      await server.psql(
        `SELECT coalesce(seq_scan, 0) + coalesce(idx_scan, 0) FROM pg_stat_user_tables WHERE relname = 'holder'`,
      ),
    );

  it('keeps two runs with different maintenance databases apart, too', async () => {
    scenario = await Scenario.create(server, { files: WAITING_FILES });
    await server.psql(`CREATE DATABASE "desk of ${scenario.database}"`);
    const held = await hold();
    const operator = conduct(scenario, {});
    const runner = scenario.start();
    await until(10_000, 'the migration', isAtStep('Migrate'));
    const { waitingFor } = await waits(anotherRun({ maintenanceDatabase: `desk of ${scenario.database}` }));
    const { name } = scenario.memory.run.metadata;
    expect(waitingFor).match(new RegExp(`is being worked on by "phasemigration shop/${name} `));
    await held.close();
    expect(await Promise.race([runner.ended, operator.failed])).equal('Finished');
    operator.stop();
    await expectExactly(scenario, MIGRATED);
  });

  it('keeps nobody from another database of the server', async () => {
    scenario = await Scenario.create(server, { files: WAITING_FILES });
    const held = await hold();
    const operator = conduct(scenario, {});
    const runner = scenario.start();
    await until(10_000, 'the migration', isAtStep('Migrate'));
    const other = await Scenario.create(server);
    cleanUp.push(() => other.end());
    const otherOperator = conduct(other, {});
    expect(await Promise.race([other.start().ended, otherOperator.failed])).equal('Finished');
    otherOperator.stop();
    await expectExactly(other, MIGRATED);
    expect(await isAtStep('Migrate')()).equal(true);
    await held.close();
    expect(await Promise.race([runner.ended, operator.failed])).equal('Finished');
    operator.stop();
    await expectExactly(scenario, MIGRATED);
  });

  it('says that a person must decide, and goes on saying so', async () => {
    const { '0002_price.down.sql': _down, ...withoutDown } = FILES;
    scenario = await Scenario.create(server, { files: withoutDown });
    const runner = scenario.start();
    await scenario.reach('Prepared');
    await scenario.reach('Migrated');
    scenario.memory.setGoal('RolledBack');
    await scenario.failed('Rollback');
    await until(10_000, 'the word of it', async () => (await scenario.holder())?.['state'] === 'NeedsHuman');
    expect((await waits(anotherRun())).waitingFor).match(
      /is being worked on by run shop\/\S+ \(start 1\), which waits for a person’s decision, at step Rollback, since/,
    );
    runner.kill();
    await runner.ended;
    expect(await scenario.holder()).include({ state: 'NeedsHuman', step: 'Rollback' });
  });

  it('and has ended is forgotten, although the server crashes right afterwards', async () => {
    // What is committed asynchronously is written down so late that the crash surely comes first.
    const fragile = await startPostgres({ settings: { wal_writer_delay: '10s' } });
    cleanUp.push(() => fragile.stop());
    scenario = await Scenario.create(fragile);
    await fragile.crash();
    await fragile.restart();
    expect(await scenario.holder()).equal(undefined);
  });

  it('and whose lock is somebody else’s by now says nothing any more', async () => {
    scenario = await Scenario.create(server);
    const runner = scenario.start();
    await scenario.reach('Prepared');
    const before = (await scenario.holder())!;
    // As after a switch to a standby: the lock is nobody's, and its session does not know.
    const holder = await open('postgres', 'somebody else');
    await server.psql(
      `UPDATE phasemigration.holder SET holder = 'somebody else', lock_pid = ${holder.pid}, run_uid = NULL`,
    );
    await server.psql(`SELECT pg_terminate_backend(${String(before['lock_pid'])})`);
    const claim = { database: scenario.database, roles: [], holder: { name: 'somebody else' } };
    await until(10_000, 'the lock', async () => (await tryLock(holder, claim)).refusal === undefined);
    await waits(scenario);
    expect(await scenario.holder()).include({ holder: 'somebody else', lock_pid: holder.pid });
    runner.kill();
    await runner.ended;
  });
});
