import { expect } from 'chai';
import { startPostgres, type Postgres } from '../../../e2e/cluster/postgres.ts';
import { cloneDatabase, cloneStrategy } from './clone.ts';
import { Session } from './session.ts';

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
});
