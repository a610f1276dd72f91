import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { startPostgres, type Postgres } from '../../../e2e/cluster/postgres.ts';
import { ConnectionLost, Interrupted } from '../core/failure.ts';
import { dumpDatabase, restoreArchive } from './dump.ts';
import { HOLDER_TABLE } from './holder-table.ts';
import { writeHolder } from './holder.ts';
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

  it('cannot say in the fixed place that this start works on the database after another one has the lock', async () => {
    await server.psql(HOLDER_TABLE);
    const entry = { database: 'shop', name: 'shop/rename-1', state: 'Working', lockPid: maintenance.pid } as const;
    expect(await writeHolder(maintenance, entry)).equal(true);
    await server.psql(`UPDATE phasemigration.holder SET heartbeat_at = now() - interval '2 minutes'`);
    await outlived();
    const late = await Session.open({ ...server, user: 'postgres', database: 'shop' }, 'postgres', 'late');
    opened.push(late);
    expect(await writeHolder(late, { ...entry, step: 'Migrate' })).equal(false);
    expect(await server.psql('SELECT step IS NULL FROM phasemigration.holder')).equal('t');
  });

  it('are proved by the lock before a program with sessions of its own is started', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'phase-migration-dump-'));
    try {
      const { signal } = new AbortController();
      const options = { address: sessions.address, database: 'postgres', application: 'pg_dump', major: 15, signal };
      const how = { format: 'Custom', compression: 'None', jobs: 1 } as const;
      const path = join(folder, 'archive.dump');
      await dumpDatabase(path, { ...options, ...how, mayStart: () => proveLock(maintenance, 'shop') });
      await outlived();
      const late = { ...options, ...how, mayStart: () => proveLock(maintenance, 'shop') };
      expect(await failure(dumpDatabase(join(folder, 'late.dump'), late))).instanceOf(ConnectionLost);
      expect(await failure(restoreArchive(path, { ...late, database: 'postgres' }))).instanceOf(ConnectionLost);
      expect(await readdir(folder)).deep.equal(['archive.dump']);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  it('are not opened when everything was cut while they connected', async () => {
    // Before the lock is taken nothing else would keep it from being used.
    const early = new Sessions(sessions.address, 'this start', () => undefined);
    const opening = failure(early.open('postgres'));
    early.destroyAll();
    expect(await opening).instanceOf(Interrupted);
    sessions.destroyAll();
    await until(5000, 'the end of the sessions', async () => (await left()) === '0');
  });
});
