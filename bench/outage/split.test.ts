import { expect } from 'chai';
import fc from 'fast-check';
import { coveredLength, splitOutage, stepIntervals, type Interval } from './split.ts';

const moments = { scaledDown: 90, allTerminating: 300, allEnded: 305, scaledUp: 800, firstReady: 1800, allReady: 2000 };

describe('splitOutage', () => {
  it('leaves to the operator what no other part explains', () => {
    const steps = [
      { start: 310, end: 400 },
      { start: 405, end: 790 },
    ];
    expect(splitOutage({ start: 100, end: 2100 }, moments, steps)).to.deep.equal({
      drain: 200,
      steps: 475,
      podStart: 1000,
      propagation: 300,
      stopping: 0,
      // 300–310 until the fence, 400–405 between the steps, 790–800 until the scale up.
      operator: 25,
    });
  });

  it('counts time once where the parts overlap', () => {
    const split = splitOutage({ start: 100, end: 2100 }, moments, [{ start: 200, end: 900 }]);
    expect(split).to.deep.equal({ drain: 200, steps: 600, podStart: 900, propagation: 300, stopping: 0, operator: 0 });
  });

  it('does not blame the operator for pods that are still ending when all else is done behind the fence', () => {
    const steps = [
      { name: 'Fence', start: 310, end: 400 },
      { name: 'Verify', start: 400, end: 600 },
      { name: 'Unfence', start: 720, end: 790 },
    ];
    const split = splitOutage({ start: 100, end: 2100 }, { ...moments, allEnded: 700 }, steps);
    // 300–310 until the fence, 700–720 until the runner hears of it, 790–800 until the scale up.
    expect(split).to.deep.equal({
      drain: 200,
      steps: 360,
      podStart: 1000,
      propagation: 300,
      stopping: 100,
      operator: 40,
    });
  });

  it('leaves to the operator what it loses between steps while a pod boots beside them', () => {
    const steps = [
      { start: 300, end: 400 },
      { start: 450, end: 1000 },
    ];
    const split = splitOutage({ start: 90, end: 2100 }, { ...moments, scaledUp: 400 }, steps);
    expect(split).to.deep.equal({ drain: 210, steps: 650, podStart: 800, propagation: 300, stopping: 0, operator: 50 });
  });

  it('counts nothing that lies outside the outage', () => {
    const split = splitOutage({ start: 350, end: 850 }, moments, [{ start: 310, end: 400 }]);
    expect(split).to.deep.equal({ drain: 0, steps: 50, podStart: 50, propagation: 0, stopping: 0, operator: 400 });
  });

  const time = fc.integer({ min: 0, max: 3000 });
  const interval = fc.tuple(time, time).map(([a, b]): Interval => ({ start: Math.min(a, b), end: Math.max(a, b) }));

  it('has parts that add up to the outage, none of them negative', () => {
    const ordered = fc.tuple(time, time, time, time, time, time).map((times) => {
      const [scaledDown, allTerminating, allEnded, scaledUp, firstReady, allReady] = times.sort((a, b) => a - b);
      return { scaledDown, allTerminating, allEnded, scaledUp, firstReady, allReady };
    });
    fc.assert(
      fc.property(interval, ordered, fc.array(interval), (outage, seen, steps) => {
        const parts = Object.values(splitOutage(outage, seen, steps)) as number[];
        expect(parts.reduce((sum, part) => sum + part, 0)).to.equal(outage.end - outage.start);
        expect(Math.min(...parts)).to.be.at.least(0);
      }),
    );
  });

  it('covers exactly the milliseconds that lie in some interval', () => {
    fc.assert(
      fc.property(interval, fc.array(interval), (whole, intervals) => {
        let count = 0;
        for (let at = whole.start; at < whole.end; at++)
          if (intervals.some(({ start, end }) => start <= at && at < end)) count++;
        expect(coveredLength(whole, intervals)).to.equal(count);
      }),
    );
  });
});

describe('stepIntervals', () => {
  it('takes steps that have begun and ended, not those that were skipped', () => {
    const times = { startTime: '2026-01-01T00:00:00.100Z', completionTime: '2026-01-01T00:00:00.350Z' };
    const steps = [
      { name: 'Fence', state: 'Succeeded', ...times },
      { name: 'Snapshot', state: 'Skipped', ...times },
      { name: 'Migrate', state: 'Running', startTime: times.startTime },
    ];
    const at = Date.parse('2026-01-01T00:00:00Z');
    expect(stepIntervals(steps)).to.deep.equal([{ name: 'Fence', start: at + 100, end: at + 350 }]);
  });
});
