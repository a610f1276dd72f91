import { expect } from 'chai';
import { startPostgres, type Postgres } from '../../../e2e/cluster/postgres.ts';
import { ConnectionLost, Interrupted } from '../core/failure.ts';
import { proveLock, tryLock } from './lock.ts';
import { Session } from './session.ts';
import { Sessions } from './sessions.ts';
import { until } from './wait.ts';

describe('The sessions of one start of a runner', function () {
  this.timeout(30_000);
  let server: Postgres;
  let sessions: Sessions;
  let maintenance: Session;
  const opened: Session[] = [];

  before(async () => {
    server = await startPostgres();
  });
  after(() => server.stop());
  beforeEach(async () => {
    const address = { ...server, user: 'postgres', database: 'shop' };
    sessions = new Sessions(address, 'this start', () => undefined);
    maintenance = await sessions.open('postgres');
    const claim = { database: 'shop', roles: [], holder: { name: 'this' } };
    expect((await tryLock(maintenance, claim)).refusal).equal(undefined);
    sessions.requireLock(maintenance.pid);
  });
  afterEach(() => {
    sessions.destroyAll();
    for (const session of opened.splice(0)) session.destroy();
  });

  const failure = (promise: Promise<unknown>) =>
    promise.then(
      () => undefined,
      (error: unknown) => error,
    );
  const left = () => server.psql(`SELECT count(*) FROM pg_stat_activity WHERE application_name = 'this start'`);

  /** Another start ends this one's session with the lock, and takes the lock. */
  async function outlived(): Promise<void> {
    const other = await Session.open({ ...server, user: 'postgres', database: 'shop' }, 'postgres', 'another start');
    opened.push(other);
    await other.query('SELECT pg_terminate_backend($1::int4)', [maintenance.pid]);
    const claim = { database: 'shop', roles: [], holder: { name: 'other' } };
    await until(5000, 'the lock', async () => (await tryLock(other, claim)).refusal === undefined);
  }

  it('are opened while the lock is held', async () => {
    const session = await sessions.open('postgres');
    expect(sessions.pids()).deep.equal([maintenance.pid, session.pid]);
    await proveLock(maintenance, 'shop');
  });

  it('are not opened after another start has the lock, and leave nothing behind', async () => {
    await outlived();
    expect(await failure(sessions.open('postgres'))).instanceOf(ConnectionLost);
    await until(5000, 'the end of the session', async () => (await left()) === '0');
    expect(await failure(proveLock(maintenance, 'shop'))).instanceOf(ConnectionLost);
  });

  it('are not opened when everything was cut while they connected', async () => {
    const opening = failure(sessions.open('postgres'));
    sessions.destroyAll();
    expect(await opening).satisfy((error: unknown) => error instanceof Interrupted || error instanceof ConnectionLost);
    await until(5000, 'the end of the sessions', async () => (await left()) === '0');
  });
});
