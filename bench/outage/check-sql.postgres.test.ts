import { expect } from 'chai';
import { startPostgres } from '../../e2e/cluster/postgres.ts';
import { checkScript, type Check } from './check-sql.ts';

type Postgres = Awaited<ReturnType<typeof startPostgres>>;

describe('the script of the checks, in PostgreSQL', () => {
  let postgres: Postgres;
  before(async () => {
    postgres = await startPostgres();
  });
  after(() => postgres.stop());

  const outcome = (check: Omit<Check, 'name'>) =>
    postgres.psql(checkScript([{ name: "the check's name", ...check }])).then(
      () => 'passed',
      (error: unknown) => String(error),
    );

  const numbers = 'SELECT n FROM generate_series(1, 3) AS n';
  const cases: [string, Omit<Check, 'name'>, Omit<Check, 'name'>][] = [
    ['a value', { query: 'SELECT count(*) FROM pg_class WHERE false' }, { query: 'SELECT 1' }],
    [
      'a text',
      { query: "SELECT 'it''s'", expect: { value: "it's" } },
      { query: "SELECT 'its'", expect: { value: "it's" } },
    ],
    ['a number of rows', { query: numbers, expect: { rows: 3 } }, { query: numbers, expect: { rows: 0 } }],
    [
      'a least value',
      { query: 'SELECT 10 -- ten', expect: { min: '9' } },
      { query: 'SELECT 10', expect: { min: '11' } },
    ],
    ['no answer', { query: 'SELECT 0' }, { query: 'SELECT 0 WHERE false' }],
  ];
  for (const [what, right, wrong] of cases)
    it(`ends with an error unless it gets the expected answer: ${what}`, async () => {
      expect(await outcome(right)).to.equal('passed');
      expect(await outcome(wrong)).to.include("the check's name");
    });
});
