import { expect } from 'chai';
import { startPostgres, type Postgres } from '../../e2e/cluster/postgres.ts';
import { tryLock } from './postgres/lock.ts';
import { Session } from './postgres/session.ts';
import { until } from './postgres/wait.ts';
import { startRival } from './testing/rival.ts';
import { FILES, Scenario } from './testing/scenario.ts';

describe('A run that has nothing to do', function () {
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

  async function migrated() {
    scenario = await Scenario.create(server);
    const runner = scenario.start();
    await scenario.reach('Prepared');
    await scenario.reach('Migrated');
    return runner;
  }

  /** Undoing it has failed: the fence is up, and a person must decide. */
  async function stuck() {
    const { '0002_price.down.sql': _down, ...withoutDown } = FILES;
    scenario = await Scenario.create(server, { files: withoutDown });
    const runner = scenario.start();
    await scenario.reach('Prepared');
    await scenario.reach('Migrated');
    scenario.memory.setGoal('RolledBack');
    await scenario.failed('Rollback');
    await until(5000, 'the word of it', async () => (await scenario.holder())?.['state'] === 'NeedsHuman');
    scenario.memory.setStatus({ outcome: 'NeedsHuman' });
    return runner;
  }

  const lockPid = async () => String((await scenario.holder())?.['lock_pid']);

  /** The process id of the session that holds the lock on the database, and is not that one. */
  async function heldAgain(lost: string): Promise<void> {
    await until(10_000, 'the lock', async () => {
      const held = `SELECT count(DISTINCT l.pid) FROM pg_locks l, phasemigration.holder h WHERE l.pid = h.lock_pid AND l.pid <> ${lost}
        AND l.locktype = 'advisory' AND h.database = '${scenario.database}'`;
      return (await server.psql(held)) === '1';
    });
  }

  async function cutLock(): Promise<void> {
    const pid = await lockPid();
    expect(await server.psql(`SELECT pg_terminate_backend(${pid})`)).equal('t');
    await heldAgain(pid);
  }

  const forgetHeartbeat = () => server.psql(`UPDATE phasemigration.holder SET heartbeat_at = now() - interval '61 s'`);

  async function rivalIsTold(): Promise<string> {
    const rival = startRival(scenario);
    cleanUp.push(rival.end);
    const { waitingFor } = await rival.memory.when(
      ({ waitingFor, reachedGoal }) => waitingFor !== undefined || reachedGoal !== undefined,
      'the wait for the lock',
    );
    return waitingFor ?? 'nothing';
  }

  /** A session of somebody else that has taken the lock while nobody had it. */
  async function somebodyElse(): Promise<Session> {
    await server.psql('DELETE FROM phasemigration.holder');
    const session = await Session.open(
      { ...server, user: 'postgres', database: 'postgres' },
      'postgres',
      'vacuum night',
    );
    cleanUp.push(() => session.destroy());
    const claim = { database: scenario.database, roles: [], holder: { name: 'vacuum night' } };
    await until(10_000, 'the lock', async () => (await tryLock(session, claim)).refusal === undefined);
    return session;
  }

  it('because a person must decide takes its lock again when it was lost', async () => {
    await stuck();
    await cutLock();
    await forgetHeartbeat();
    expect(await rivalIsTold()).match(
      /is being worked on by run shop\/\S+ \(start 1\), which waits for a person’s decision, at step Rollback, since/,
    );
  });

  it('because a person must decide says nothing of sessions that were lost meanwhile', async () => {
    await stuck();
    for (let loss = 1; loss <= 4; loss++) await cutLock();
    await scenario.memory.when(({ waitingFor }) => waitingFor === undefined, 'the end of the wait', 5000);
  });

  it('because it has migrated takes its lock again when it was lost', async () => {
    await migrated();
    await cutLock();
    await forgetHeartbeat();
    expect(await rivalIsTold()).match(/is being worked on by run shop\/\S+ \(start 1\), at step Unfence, since/);
    await scenario.reach('Finished');
  });

  it('because it has migrated has its lock in a new start, too', async () => {
    const first = await migrated();
    const pid = await lockPid();
    first.kill();
    await first.ended;
    const next = scenario.startNext();
    await heldAgain(pid);
    expect(scenario.memory.runner).include({ epoch: 2, reachedGoal: 'Migrated' });
    expect(await rivalIsTold()).match(/is being worked on by run shop\/\S+ \(start 2\), at step Unfence, since/);
    scenario.memory.setGoal('Finished');
    expect(await next.ended).equal('Finished');
    expect(await scenario.leftovers()).deep.equal([]);
  });

  it('because a person must decide takes its lock in a new start and touches nothing else', async () => {
    const first = await stuck();
    const pid = await lockPid();
    first.kill();
    await first.ended;
    const { steps, fence } = scenario.memory.runner;
    const ledger = await scenario.ledger();
    scenario.startNext();
    await heldAgain(pid);
    expect(await rivalIsTold()).match(/\(start 2\), which waits for a person’s decision, at step Rollback, since/);
    expect(scenario.memory.runner).deep.include({ epoch: 2, steps, fence });
    expect(await scenario.clientCanConnect()).equal(false);
    expect(await scenario.ledger()).equal(ledger);
  });

  it('and was cut short on its way back goes on only when the person has decided', async () => {
    const first = await migrated();
    const pid = await lockPid();
    first.kill();
    await first.ended;
    // As when the last of many starts has died.
    scenario.memory.setStatus({ outcome: 'NeedsHuman' });
    scenario.memory.setGoal('RolledBack');
    scenario.startNext();
    await heldAgain(pid);
    await until(5000, 'the word of it', async () => (await scenario.holder())?.['state'] === 'NeedsHuman');
    expect(scenario.memory.runner.steps?.map(({ name }) => name)).not.contain('RollbackFence');
    expect(await scenario.clientCanConnect()).equal(true);
    scenario.memory.setStatus({ outcome: undefined });
    await scenario.memory.when(({ reachedGoal }) => reachedGoal === 'RolledBack', 'goal RolledBack');
  });

  it('is told who holds its lock meanwhile, and obeys a goal that comes at once', async () => {
    const first = await migrated();
    first.kill();
    await first.ended;
    const other = await somebodyElse();
    scenario.startNext();
    const { waitingFor } = await scenario.memory.when(
      ({ waitingFor }) => waitingFor !== undefined,
      'the wait for the lock',
    );
    expect(waitingFor).match(/^Database "shop \d+" is being worked on by "vacuum night" \(role "postgres"/);
    scenario.memory.setGoal('RolledBack');
    await scenario.memory.when(({ observedGoal }) => observedGoal === 'RolledBack', 'the goal is seen', 2000);
    await other.close();
    await scenario.memory.when(({ reachedGoal }) => reachedGoal === 'RolledBack', 'goal RolledBack');
    expect(await scenario.ledger()).equal('0001 up applied, 0002 up applied, 0002 down applied');
    await scenario.reach('Finished');
    expect(await scenario.leftovers()).deep.equal([]);
  });

  it('and waits for a person is told who holds its lock meanwhile', async () => {
    const first = await stuck();
    first.kill();
    await first.ended;
    const other = await somebodyElse();
    const pid = String(other.pid);
    scenario.startNext();
    const { waitingFor } = await scenario.memory.when(
      ({ waitingFor }) => waitingFor !== undefined,
      'the wait for the lock',
    );
    expect(waitingFor).contain('is being worked on by "vacuum night"');
    await other.close();
    await heldAgain(pid);
    await scenario.memory.when((runner) => runner.waitingFor === undefined, 'the end of the wait');
  });
});
