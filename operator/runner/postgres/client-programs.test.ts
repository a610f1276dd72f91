import { spawn } from 'node:child_process';
import { expect } from 'chai';
import { endOf, ProgramCutOff } from './client-programs.ts';

/** A program that complains and ends with code 1. */
function complains(complaint: string) {
  return spawn(process.execPath, ['-e', 'console.error(process.argv[1]); process.exit(1)', complaint]);
}

describe('A client program that ends badly', () => {
  const cutOff = [
    'pg_dump: error: query failed: server closed the connection unexpectedly',
    'pg_dump: error: could not obtain lock on relation "public.item"\nThis usually means that someone requested …',
    'pg_restore: error: connection to server at "db" (10.0.0.1), port 5432 failed: Connection refused',
    'pg_dump: error: connection to server on socket failed: FATAL:  the database system is starting up',
  ];
  for (const complaint of cutOff) {
    it(`was cut off: ${complaint.split('\n')[0]}`, async () => {
      const error: unknown = await endOf(complains(complaint), 'pg_dump').catch((reason: unknown) => reason);
      expect(error).to.be.instanceOf(ProgramCutOff);
      expect((error as Error).message).to.equal(`pg_dump ended with code 1: ${complaint}`);
    });
  }

  it('was not cut off when it was refused something, or its worker died', async () => {
    for (const complaint of [
      'pg_dump: error: query failed: ERROR:  permission denied for table item',
      'pg_dump: error: a worker process died unexpectedly',
    ]) {
      const error: unknown = await endOf(complains(complaint), 'pg_dump').catch((reason: unknown) => reason);
      expect(error).to.be.instanceOf(Error).and.not.instanceOf(ProgramCutOff);
    }
  });

  it('has a code when it said nothing', async () => {
    const error: unknown = await endOf(complains(''), 'pg_dump').catch((reason: unknown) => reason);
    expect((error as Error).message).to.equal('pg_dump ended with code 1: it said nothing');
  });
});
