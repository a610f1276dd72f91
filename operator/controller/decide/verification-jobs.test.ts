import { expect } from 'chai';
import fc from 'fast-check';
import { verificationJobName } from './verification-jobs.ts';

/** RFC 1123 subdomain. */
const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const part = fc.stringMatching(/^[a-z0-9]{1,9}$/);
const name = (maxLength: number) =>
  fc.tuple(part, fc.array(fc.tuple(fc.constantFrom('-', '.', '--'), part), { maxLength: 20 })).map(([first, rest]) =>
    [first, ...rest.flat()]
      .join('')
      .slice(0, maxLength)
      .replace(/[-.]+$/, ''),
  );

describe('verificationJobName', () => {
  it('is always a name that a Job may have', () => {
    fc.assert(
      fc.property(name(44), name(63), fc.integer({ min: 1, max: 12 }), (run, verification, epoch) => {
        const made = verificationJobName(run, verification, epoch);
        expect(made.length).to.be.lessThanOrEqual(63);
        expect(made).to.match(SUBDOMAIN);
      }),
    );
  });

  it('differs for long names that only differ at their end, and for every start', () => {
    const long = 'figures-of-the-staging-environment-';
    const names = ['one', 'two'].flatMap((end) =>
      [1, 2, 11, 12].map((epoch) => verificationJobName('a-migration-with-a-long-name-12', `${long}${end}`, epoch)),
    );
    expect(new Set(names).size).to.equal(names.length);
  });
});
