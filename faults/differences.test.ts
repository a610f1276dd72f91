import { isDeepStrictEqual } from 'node:util';
import { expect } from 'chai';
import fc from 'fast-check';
import { differences } from './differences.ts';

describe('Differences of two end states', () => {
  it('are none of a state with itself, and some as soon as anything else is there', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (one, other) => {
        expect(differences(one, structuredClone(one))).to.deep.equal([]);
        expect(differences(one, other).length > 0).to.equal(!isDeepStrictEqual(one, other));
      }),
    );
  });

  it('are told where they are', () => {
    expect(differences({ runs: [{ phase: 'Succeeded' }] }, { runs: [{ phase: 'Failed' }] })).to.deep.equal([
      'runs.0.phase is "Failed" instead of "Succeeded"',
    ]);
  });

  it('name one object too many once, whatever its place', () => {
    expect(differences({ jobs: ['b', 'c'] }, { jobs: ['a', 'b', 'c'] })).to.deep.equal(['jobs has "a" too much']);
    expect(differences({ jobs: ['b', 'b'] }, { jobs: ['b'] })).to.deep.equal(['jobs lacks "b"']);
  });
});
