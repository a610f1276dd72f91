import { expect } from 'chai';
import { bytesInWords, durationInWords, sessionsInWords, verifiedInWords } from './words.ts';

describe('Words for people', () => {
  it('tell sizes in decimal units with at most three digits', () => {
    const sizes = [0, 999, 1000, 54_480, 99_960, 999_499, 999_500, 8_640_000, 4_200_000_000];
    expect(sizes.map(bytesInWords)).deep.equal([
      ...['0 B', '999 B', '1.0 kB', '54.5 kB', '100 kB', '999 kB', '1.0 MB', '8.6 MB', '4.2 GB'],
    ]);
  });

  it('tell times in milliseconds below a second', () => {
    expect([0, 28.4, 999, 1250].map(durationInWords)).deep.equal(['0 ms', '28 ms', '999 ms', '1.3 s']);
  });

  it('tell what was verified', () => {
    expect([verifiedInWords(9, 3), verifiedInWords(0, 1), verifiedInWords(2, 0), verifiedInWords(0, 0)]).deep.equal([
      '9 of 9 checks and 3 figures as expected',
      '1 figure as expected',
      '2 of 2 checks as expected',
      'Nothing was to be asked',
    ]);
  });

  it('tell whose sessions were ended', () => {
    const backend = { application: 'planner-backend', address: '10.244.0.9' };
    expect(sessionsInWords([backend, { application: '', address: undefined }, backend])).equal(
      'planner-backend 10.244.0.9: 2, without application_name: 1',
    );
  });
});
