import { expect } from 'chai';
import fc from 'fast-check';
import { Counter, nameOfStatement } from './statements.ts';

describe('The name of a statement', () => {
  it('is its first words, whatever the names and values in it', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (one, other) => {
        const rename = (name: string) => `ALTER DATABASE "${name.replaceAll('"', '""')}" RENAME TO "x"`;
        expect(nameOfStatement(rename('--'))).to.equal('ALTER-DATABASE-RENAME-TO');
        expect(nameOfStatement(rename(one))).to.equal('ALTER-DATABASE-RENAME-TO');
        expect(nameOfStatement(rename(other))).to.equal(nameOfStatement(rename(one)));
      }),
    );
  });

  it('leaves out comments and the schema of the catalogs', () => {
    expect(nameOfStatement('-- a word\nSELECT pg_catalog.pg_backend_pid() AS pid')).to.equal(
      'SELECT-pg_backend_pid-AS-pid',
    );
    expect(nameOfStatement('COMMIT')).to.equal('COMMIT');
    expect(nameOfStatement(`'only a value'`)).to.equal('empty');
  });

  it('is numbered among its like', () => {
    const counter = new Counter();
    expect(['BEGIN', 'COMMIT', 'BEGIN'].map((name) => counter.next(name))).to.deep.equal([
      'BEGIN.1',
      'COMMIT.1',
      'BEGIN.2',
    ]);
    expect(counter.count('BEGIN')).to.equal(2);
    expect(counter.count('ROLLBACK')).to.equal(0);
  });
});
