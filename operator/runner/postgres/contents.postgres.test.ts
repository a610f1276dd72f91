import { expect } from 'chai';
import { startPostgres, type Postgres } from '../../../e2e/cluster/postgres.ts';
import { PINNED } from './ask.ts';
import { compareContents, readContents, sizeOf, type Contents } from './contents.ts';
import { Session } from './session.ts';

const TABLE = `CREATE TABLE item (id int, amount numeric, note text)`;
const ROWS = `INSERT INTO item SELECT n, n * 1.5, 'note ' || n FROM generate_series(1, 50) n`;

interface Change {
  title: string;
  sql: string;
  difference: string[];
}

const OTHER_CONTENT = ['public.item has 50 rows as before, but other content'];

const CHANGES: Change[] = [
  { title: 'nothing but the order of the rows', sql: `${TABLE}; ${ROWS} ORDER BY n DESC`, difference: [] },
  {
    title: 'nothing but the order of the columns',
    sql: `CREATE TABLE item (note text, gone int, id int, amount numeric); ALTER TABLE item DROP gone;
      INSERT INTO item SELECT 'note ' || n, n, n * 1.5 FROM generate_series(1, 50) n`,
    difference: [],
  },
  {
    title: 'a row less',
    sql: `${TABLE}; ${ROWS}; DELETE FROM item WHERE id = 7`,
    difference: ['public.item had 50 rows and has 49'],
  },
  { title: 'a value', sql: `${TABLE}; ${ROWS}; UPDATE item SET note = '' WHERE id = 7`, difference: OTHER_CONTENT },
  {
    title: 'an empty text instead of none',
    sql: `${TABLE}; ${ROWS}; UPDATE item SET note = NULL WHERE id = 7`,
    difference: OTHER_CONTENT,
  },
  {
    title: 'the scale of a number',
    sql: `${TABLE}; ${ROWS}; UPDATE item SET amount = amount * 1.0`,
    difference: OTHER_CONTENT,
  },
  {
    title: 'a value that changed places with another one',
    sql: `${TABLE}; ${ROWS}; UPDATE item SET note = 'note ' || 3 - id WHERE id IN (1, 2)`,
    difference: OTHER_CONTENT,
  },
  {
    title: 'two rows that are there twice in the place of two others',
    sql: `${TABLE}; ${ROWS}; DELETE FROM item WHERE id > 48; INSERT INTO item SELECT * FROM item WHERE id < 3`,
    difference: OTHER_CONTENT,
  },
  {
    title: 'a table',
    sql: 'CREATE TABLE "It\'s ""new""" ()',
    difference: ['public."It\'s ""new""" is new', 'public.item is gone'],
  },
  {
    title: 'a large object',
    sql: `${TABLE}; ${ROWS}; SELECT lo_from_bytea(0, 'x')`,
    difference: ['large objects had 0 rows and has 1'],
  },
];

describe('Content of tables', function () {
  this.timeout(60_000);
  let server: Postgres;
  let original: Contents;
  let count = 0;

  before(async () => {
    server = await startPostgres();
    original = await contentsOf(`${TABLE}; ${ROWS}`);
    expect(sizeOf(original)).deep.equal({ tables: 1, rows: 50 });
  });
  after(() => server.stop());

  for (const { title, sql, difference } of CHANGES)
    it(`differs in ${title}${difference.length === 0 ? ': not at all' : ''}`, async () => {
      expect(compareContents(original, await contentsOf(sql))).deep.equal(difference);
    });

  it('is counted where it is not to be hashed', async () => {
    const contents = await contentsOf(`${TABLE}; ${ROWS}`, { hashed: false });
    expect(contents['public.item']).deep.equal({ rows: 50 });
  });

  it('does not depend on settings of the database', async () => {
    const sql = `CREATE TABLE moment AS SELECT timestamptz '2026-11-21 12:00Z' AS at, '1.1'::float8 AS number, interval '3 days' AS span, '\\xff'::bytea AS bytes, 3::money AS price`;
    const settings = [`TimeZone = 'Asia/Tokyo'`, `DateStyle = 'German'`, 'extra_float_digits = -10'];
    const more = [`IntervalStyle = 'iso_8601'`, `bytea_output = 'escape'`, `lc_monetary = 'C.UTF-8'`];
    const changes = [...settings, ...more].map((setting) => `ALTER DATABASE DATABASE_NAME SET ${setting}`).join(';');
    expect(await contentsOf(`${sql}; ${changes}`)).deep.equal(await contentsOf(sql));
  });

  it('is that of each table for itself: parents, partitions, every type, but not of extensions', async () => {
    const contents = await contentsOf(`
      CREATE EXTENSION hstore;
      CREATE TABLE parent (a int); CREATE TABLE child (b json, c xml, d point, e hstore) INHERITS (parent);
      CREATE TABLE whole (day date) PARTITION BY RANGE (day);
      CREATE TABLE part PARTITION OF whole FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
      CREATE UNLOGGED TABLE scratch AS SELECT 1 AS n;
      CREATE VIEW seen AS SELECT * FROM parent; CREATE MATERIALIZED VIEW kept AS SELECT * FROM parent;
      INSERT INTO parent VALUES (1); INSERT INTO child VALUES (2, '{}', '<a/>', '(1,2)', 'a=>1');
      INSERT INTO whole VALUES ('2026-05-01'), ('2026-06-01')`);
    const rows = Object.entries(contents).map(([name, content]) => [name.replace('public.', ''), content.rows]);
    expect(Object.fromEntries(rows)).deep.equal({ parent: 1, child: 1, part: 2, scratch: 1, 'large objects': 0 });
  });

  async function contentsOf(sql: string, { hashed = true } = {}): Promise<Contents> {
    const database = `content ${++count}`;
    await server.psql(`CREATE DATABASE "${database}"`);
    await server.psql(sql.replaceAll('DATABASE_NAME', `"${database}"`), database);
    const session = await Session.open({ ...server, user: 'postgres', database }, database, 'test');
    await session.query(`BEGIN;${PINNED}`);
    try {
      return await readContents(session, { hashed });
    } finally {
      await session.close();
    }
  }
});
