import { expect } from 'chai';
import fc from 'fast-check';
import { shuffle, summarise } from './statistics.ts';

const values = fc.array(fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e9, max: 1e9 }), { minLength: 1 });

describe('summarise', () => {
  it('takes the middle one, and between two the mean of them', () => {
    expect(summarise([30, 10, 20])).to.deep.equal({ median: 20, min: 10, max: 30, runs: 3 });
    expect(summarise([40, 10, 20, 30])).to.deep.equal({ median: 25, min: 10, max: 40, runs: 4 });
  });

  it('sees the same in any order, with as many values below the median as above', () => {
    fc.assert(
      fc.property(values, (some) => {
        const { median, min, max } = summarise(some);
        const half = some.length / 2;
        expect(some.filter((value) => value < median).length).to.be.at.most(half);
        expect(some.filter((value) => value > median).length).to.be.at.most(half);
        expect(some.every((value) => min <= value && value <= max)).to.equal(true);
        expect(summarise(some.toReversed())).to.deep.equal(summarise(some));
      }),
    );
  });

  it('refuses to report a figure without a measurement', () => {
    expect(() => summarise([])).to.throw('no measurement');
  });
});

describe('shuffle', () => {
  it('gives every order of three the same chance', () => {
    const seen = new Map<string, number>();
    const steps = 6;
    for (let first = 0; first < steps; first++)
      for (let second = 0; second < steps; second++) {
        const picks = [first / steps, second / steps];
        const order = shuffle(['a', 'b', 'c'], () => picks.shift()!).join('');
        seen.set(order, (seen.get(order) ?? 0) + 1);
      }
    expect([...seen.values()]).to.deep.equal(Array(6).fill(6));
  });

  it('loses nothing and adds nothing', () => {
    fc.assert(
      fc.property(fc.array(fc.integer()), (items) => {
        const sorted = (list: number[]) => list.toSorted((a, b) => a - b);
        expect(sorted(shuffle(items))).to.deep.equal(sorted(items));
      }),
    );
  });
});
