import { expect } from 'chai';
import { startPostgres, type Postgres } from '../../../e2e/cluster/postgres.ts';
import { cloneDatabase } from './clone.ts';
import { Session } from './session.ts';

describe('A clone', function () {
  this.timeout(60_000);
  let server: Postgres;

  before(async () => {
    server = await startPostgres();
  });
  after(() => server.stop());

  it('has what was committed a moment ago', async () => {
    const source = 'the source';
    await server.psql(`CREATE DATABASE "${source}"`);
    const session = await Session.open({ ...server, user: 'postgres', database: source }, source, 'test');
    await session.query('CREATE TABLE item AS SELECT generate_series(1, 5000) AS id; DELETE FROM item WHERE id > 4000');
    await cloneDatabase(session, { source, clone: `${source} clone` });
    await session.close();
    expect(await server.psql('SELECT count(*) FROM item', `${source} clone`)).equal('4000');
  });
});
