import { expect } from 'chai';
import { existsSync } from 'node:fs';
import pg from 'pg';
import { startPostgres, type Postgres } from './postgres.ts';
import { isRunning } from './throwaway.ts';

describe('a throw-away PostgreSQL server', function () {
  this.timeout(60_000);
  let postgres: Postgres;
  before(async () => {
    postgres = await startPostgres({ settings: { max_prepared_transactions: '7' } });
  });
  after(() => postgres.stop());

  it('answers, with the settings asked for', async () => {
    expect(await postgres.psql('SHOW server_version_num')).to.match(/^15\d{4}$/);
    expect(await postgres.psql('SHOW max_prepared_transactions')).to.equal('7');
  });

  it('rejects with the message of PostgreSQL', async () => {
    const refusal = await postgres.psql('SELECT * FROM nowhere').catch((error: unknown) => error as Error);
    expect(refusal).to.be.instanceOf(Error).with.property('message').that.includes('"nowhere" does not exist');
  });

  it('keeps what was committed, and only that, over a crash in the middle of a query', async () => {
    await postgres.psql('CREATE TABLE kept (n int); INSERT INTO kept VALUES (1)');
    const client = new pg.Client(postgres.superuserUrl);
    client.on('error', () => undefined);
    await client.connect();
    await client.query('BEGIN; INSERT INTO kept VALUES (2)');
    const busy = client.query("SELECT pg_sleep(600), 'never seen'").catch((error: unknown) => error as Error);
    await postgres.crash();
    expect(await busy).to.be.instanceOf(Error);
    await postgres.restart();
    expect(await postgres.psql('SELECT n FROM kept')).to.equal('1');
  });

  it('leaves no process and no file behind', async () => {
    const own = await startPostgres();
    const data = await own.psql('SHOW data_directory');
    const pid = Number(await own.psql('SELECT pg_backend_pid()'));
    expect(existsSync(data)).to.be.true;
    await own.stop();
    await own.stop();
    expect(existsSync(data)).to.be.false;
    expect(isRunning(pid)).to.be.false;
  });
});
