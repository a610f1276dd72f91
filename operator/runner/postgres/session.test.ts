import { expect } from 'chai';
import pg from 'pg';
import { describeDatabaseError } from './session.ts';

function databaseError(message: string, fields: Partial<pg.DatabaseError>): pg.DatabaseError {
  return Object.assign(new pg.DatabaseError(message, message.length, 'error'), fields);
}

describe('What is told of an error of PostgreSQL', () => {
  it('has its detail, hint and the first line of its place', () => {
    const error = databaseError('division by zero', { code: '22012', hint: 'do not', where: 'SQL function "a"\nb' });
    expect(describeDatabaseError(error)).to.equal(
      'division by zero (SQLSTATE 22012). Hint: do not. Where: SQL function "a"',
    );
  });

  it('names the disk where the server names it in its log only', () => {
    const error = databaseError('checkpoint request failed', { code: 'XX000', hint: 'Consult the server log.' });
    expect(describeDatabaseError(error)).to.equal(
      'checkpoint request failed (SQLSTATE XX000). The server could not write to its disk, most often because the disk is full: see how much room it has. Hint: Consult the server log.',
    );
  });
});
