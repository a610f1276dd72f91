import { expect } from 'chai';
import { refuseAnother, type Expected } from './archive-record.ts';

const FOUND = {
  ...{ database: 'shop', systemIdentifier: '7', run: 'shop/rename-1', runUid: 'a1', sha256: 'ff' },
};

const CASES: [title: string, expected: Expected, message: string | undefined][] = [
  ['the one that is wanted', FOUND, undefined],
  ['any, where nothing is said of it', {}, undefined],
  ['of another database', { ...FOUND, database: 'bar' }, 'archive /b/x is of database "shop", not of "bar"'],
  [
    'of another server',
    { ...FOUND, systemIdentifier: '8' },
    'archive /b/x is of database "shop" of the server with system identifier 7, not of 8',
  ],
  ['of another run', { ...FOUND, runUid: 'b2' }, 'archive /b/x was swapped: it is that of run shop/rename-1 (UID a1)'],
  [
    'another of the same run',
    { ...FOUND, sha256: '00' },
    'archive /b/x was swapped: it is the one with SHA-256 ff, not 00',
  ],
];

describe('What is written beside an archive', () => {
  for (const [title, expected, message] of CASES)
    it(`tells one that is ${title}`, () => {
      const look = () => refuseAnother('/b/x', FOUND, expected);
      if (message === undefined) expect(look).not.throw();
      else expect(look).throw(message);
    });
});
