import { expect } from 'chai';
import { StepFailure } from '../core/failure.ts';
import { parseDatabaseUrl } from './url.ts';

describe('The URL of a database', () => {
  /** Every part of a malformed URL may hold the password. */
  function refusal(text: string): string {
    try {
      parseDatabaseUrl(text);
    } catch (error) {
      if (!(error instanceof StepFailure)) throw error;
      expect(error.reason).to.equal('InvalidDatabaseURL');
      expect(error.message).not.to.contain('secret');
      return error.message;
    }
    throw new Error(`${text} was taken`);
  }

  it('is read with its escapes, and with every sslmode that libpq knows', () => {
    const address = parseDatabaseUrl('postgres://a%40b:p%25Z%c3%a9@db:5433/lab%204?sslmode=disable');
    expect(address).to.include({ host: 'db', port: 5433, user: 'a@b', password: 'p%Zé', database: 'lab 4' });
    expect(address).to.include({ sslMode: 'disable', ssl: false });
    for (const mode of ['allow', 'prefer', 'require', 'verify-ca', 'verify-full'])
      expect(parseDatabaseUrl(`postgres://u:p@db/lab4?sslmode=${mode}`).sslMode).to.equal(mode);
    expect(parseDatabaseUrl('postgresql://u@db/lab4')).to.not.have.any.keys('sslMode', 'ssl', 'password');
  });

  for (const [part, url] of [
    ['user', 'postgres://u%ZZ:secret@db/lab4'],
    ['password', 'postgres://u:secret%ZZ@db/lab4?sslmode=bogus'],
    ['password', 'postgres://u:100%@db/lab4'],
    ['password', 'postgres://u:secret%ff@db/lab4'],
    ['password', 'postgres://u:secret%00@db/lab4'],
    ['host', 'postgres://u:secret@%ZZ/lab4'],
    ['database', 'postgres://u:secret@db/lab%4'],
    ['parameters', 'postgres://u:secret@db/lab4?application_name=secret%Z'],
  ] as const)
    it(`is refused by the name of the part that is not percent-encoded: ${url}`, () => {
      expect(refusal(url)).to.match(new RegExp(`^DATABASE_URL has a wrong percent-encoding in its ${part}[ ;:(]`));
    });

  it('is refused for an sslmode that pg_dump would refuse later', () => {
    for (const mode of ['bogus', 'secret', 'no-verify', 'Require', 'toString'])
      expect(refusal(`postgres://u:secret@db/lab4?sslmode=${mode}`)).to.match(
        /^DATABASE_URL has an sslmode that is none of disable, allow, prefer, require, verify-ca, verify-full; /,
      );
  });

  it('is refused for every other part that is wrong', () => {
    for (const [url, words] of [
      ['', 'is empty'],
      ['mysql://u:secret@db/lab4', 'is not a postgres:// URL'],
      ['postgres://db', 'has no database and no user'],
      ['postgres://u:secret@db:0/lab4', 'has a port that is not a number'],
      ['postgres://u:secret@db:x/lab4', 'cannot be parsed as a URL'],
    ] as const)
      expect(refusal(url)).to.contain(`DATABASE_URL ${words}`);
  });
});
