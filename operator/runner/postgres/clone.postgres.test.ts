import { expect } from 'chai';
import { startPostgres, type Postgres } from '../../../e2e/cluster/postgres.ts';
import { cloneDatabase, cloneStrategy, dropDatabase } from './clone.ts';
import { Session } from './session.ts';
import { until } from './wait.ts';

describe('A clone', function () {
  this.timeout(60_000);
  let server: Postgres;

  before(async () => {
    server = await startPostgres();
  });
  after(() => server.stop());

  it('is made in the way that is quicker for its size', () => {
    expect([
      cloneStrategy(17, 8e6),
      cloneStrategy(15, 200e6),
      cloneStrategy(15, Infinity),
      cloneStrategy(14, 8e6),
    ]).deep.equal(['wal_log', 'file_copy', 'file_copy', undefined]);
  });

  for (const sizeBytes of [8e6, 200e6])
    it(`has what was committed a moment ago (${cloneStrategy(15, sizeBytes)})`, async () => {
      const source = `source ${sizeBytes}`;
      await server.psql(`CREATE DATABASE "${source}"`);
      const session = await Session.open({ ...server, user: 'postgres', database: source }, source, 'test');
      await session.query(
        'CREATE TABLE item AS SELECT generate_series(1, 5000) AS id; DELETE FROM item WHERE id > 4000',
      );
      await cloneDatabase(session, { source, clone: `${source} clone`, sizeBytes });
      await session.close();
      expect(await server.psql('SELECT count(*) FROM item', `${source} clone`)).equal('4000');
    });

  it('is dropped by its owner although autovacuum works on it, whose sessions only a superuser may end', async () => {
    // Looks every second, and then takes for ever.
    const settings = {
      autovacuum_naptime: '1',
      autovacuum_vacuum_cost_delay: '100',
      autovacuum_vacuum_cost_limit: '1',
    };
    const busy = await startPostgres({ settings });
    try {
      await busy.psql('CREATE ROLE owner LOGIN CREATEDB; GRANT pg_signal_backend TO owner');
      await busy.psql('CREATE DATABASE vacuumed OWNER owner');
      await busy.psql('CREATE TABLE item AS SELECT generate_series(1, 100000) AS id; DELETE FROM item', 'vacuumed');
      const worker = `SELECT count(*) FROM pg_stat_activity WHERE datname = 'vacuumed' AND backend_type = 'autovacuum worker'`;
      await until(30_000, 'autovacuum', async () => (await busy.psql(worker)) === '1');
      const session = await Session.open({ ...busy, user: 'owner', database: 'postgres' }, 'postgres', 'test');
      await dropDatabase(session, 'vacuumed');
      await session.close();
      expect(await busy.psql(`SELECT count(*) FROM pg_database WHERE datname = 'vacuumed'`)).equal('0');
    } finally {
      await busy.stop();
    }
  });
});
