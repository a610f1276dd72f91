import { expect } from 'chai';
import fc from 'fast-check';
import { seenOutage, type Probe } from './probe.ts';

const good = (start: number, end: number, version: string): Probe => ({ start, end, status: 200, version });
const bad = (start: number, end = start + 1, status = 0): Probe => ({ start, end, status, version: '' });

describe('seenOutage', () => {
  it('reaches from the last good answer before to the first good answer after', () => {
    const probes = [
      good(0, 5, 'old'),
      good(20, 27, 'old'),
      bad(40),
      bad(60),
      good(80, 92, 'new'),
      good(100, 104, 'new'),
    ];
    expect(seenOutage(probes, 'new')).to.deep.equal({
      start: 27,
      end: 92,
      milliseconds: 65,
      firstNewAnswer: 92,
      failed: 2,
      failedAfterFirstNewAnswer: 0,
      oldAfterFirstNewAnswer: 0,
      longestPause: 20,
    });
  });

  it('goes on until the last failed request, although the new version has answered before', () => {
    const probes = [
      good(0, 5, 'old'),
      bad(20),
      good(40, 44, 'new'),
      bad(60),
      good(80, 84, 'new'),
      bad(100),
      good(120, 124, 'new'),
    ];
    const seen = seenOutage(probes, 'new');
    expect(seen).to.include({ start: 5, end: 124, firstNewAnswer: 44, failedAfterFirstNewAnswer: 2 });
  });

  it('takes a request without an answer for what it was when it was sent', () => {
    // Sent before the others were answered, it runs into its timeout long after the outage.
    const probes = [good(0, 5, 'old'), bad(20, 1020), good(40, 44, 'new'), good(60, 64, 'new')];
    expect(seenOutage(probes, 'new')).to.include({ start: 5, end: 44, failedAfterFirstNewAnswer: 0 });
  });

  it('counts an answer with an error status as failed, and an old one after a new one as old', () => {
    const probes = [good(0, 5, 'old'), bad(20, 25, 503), good(40, 44, 'new'), good(60, 64, 'old'), good(80, 84, 'new')];
    expect(seenOutage(probes, 'new')).to.include({ failed: 1, oldAfterFirstNewAnswer: 1 });
  });

  it('is nothing when no request failed', () => {
    expect(seenOutage([good(0, 5, 'old'), good(20, 25, 'new')], 'new')).to.include({ milliseconds: 0, failed: 0 });
  });

  it('refuses what did not see the whole outage', () => {
    expect(() => seenOutage([bad(0), good(20, 25, 'new')], 'new')).to.throw('before the first failure');
    expect(() => seenOutage([good(0, 1, 'old'), good(20, 25, 'new'), bad(40)], 'new')).to.throw(
      'after the last failure',
    );
    expect(() => seenOutage([good(0, 1, 'old'), bad(20), good(40, 41, 'old')], 'new')).to.throw('version new');
  });

  const history = fc
    .record({
      before: fc.integer({ min: 1, max: 20 }),
      during: fc.array(fc.constantFrom<'refused' | 'hangs' | 'flicker'>('refused', 'hangs', 'flicker'), {
        maxLength: 40,
      }),
      after: fc.integer({ min: 1, max: 20 }),
      latency: fc.integer({ min: 1, max: 60 }),
    })
    .map(({ before, during, after, latency }) => {
      const total = before + during.length + 1 + after;
      const probes = Array.from({ length: total }, (_, index): Probe => {
        const start = index * 20;
        if (index < before) return good(start, start + latency, 'old');
        const kind = during[index - before];
        if (kind === 'flicker') return good(start, start + latency, 'new');
        if (kind === 'hangs') return bad(start, start + 1000);
        return kind === 'refused' || index === before + during.length
          ? bad(start)
          : good(start, start + latency, 'new');
      });
      return { probes, lastFailed: (before + during.length) * 20, latency };
    });

  it('has no failed request after its end, and ends with the first answer of which that is true', () => {
    fc.assert(
      fc.property(history, ({ probes, lastFailed, latency }) => {
        const { end } = seenOutage(probes, 'new');
        expect(end).to.equal(lastFailed + 20 + latency);
      }),
    );
  });

  it('does not depend on the order in which the answers came', () => {
    fc.assert(
      fc.property(history, ({ probes }) => {
        const byEnd = probes.toSorted((a, b) => a.end - b.end);
        expect(seenOutage(byEnd, 'new')).to.deep.equal(seenOutage(probes, 'new'));
      }),
    );
  });
});
