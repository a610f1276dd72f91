import { expect } from 'chai';
import fc from 'fast-check';
import { dayAfter, timelineProblem, type Span } from './timeline.ts';

const project = { start_date: '2026-01-01', end_date: '2026-12-31' };
const span = (name: string, start_date: string, end_date: string): Span => ({ name, start_date, end_date });
const problem = (...phases: Span[]) => timelineProblem(project, phases)?.code;

describe('the timeline of a project', () => {
  it('accepts one phase that spans it, and phases that follow each other in any given order', () => {
    expect(problem(span('A', '2026-01-01', '2026-12-31'))).to.equal(undefined);
    expect(
      problem(
        span('C', '2026-03-01', '2026-12-31'),
        span('A', '2026-01-01', '2026-01-31'),
        span('B', '2026-02-01', '2026-02-28'),
      ),
    ).to.equal(undefined);
  });

  it('accepts days without a phase at its beginning and at its end', () => {
    expect(problem(span('A', '2026-02-01', '2026-11-30'))).to.equal(undefined);
  });

  it('refuses no phase at all', () => {
    expect(problem()).to.equal('LastPhase');
  });

  it('refuses a gap, even of one day, and names it', () => {
    const phases = [span('A', '2026-01-01', '2026-01-31'), span('B', '2026-02-02', '2026-02-28')];
    expect(timelineProblem(project, phases)).to.deep.equal({
      code: 'GapBetweenPhases',
      message:
        'No phase would cover 2026-02-01 to 2026-02-01, between "A" (2026-01-01 to 2026-01-31) and "B" (2026-02-02 to 2026-02-28).',
    });
  });

  it('refuses an overlap, even of one day, and a phase within another', () => {
    expect(problem(span('A', '2026-01-01', '2026-02-01'), span('B', '2026-02-01', '2026-02-28'))).to.equal(
      'PhasesOverlap',
    );
    expect(problem(span('A', '2026-01-01', '2026-12-31'), span('B', '2026-02-01', '2026-02-28'))).to.equal(
      'PhasesOverlap',
    );
  });

  it('refuses what begins before the project or ends after it, unless the project has no such date', () => {
    expect(problem(span('A', '2025-12-31', '2026-12-31'))).to.equal('PhaseOutsideProject');
    expect(problem(span('A', '2026-01-01', '2027-01-01'))).to.equal('PhaseOutsideProject');
    const open = { start_date: null, end_date: null };
    expect(timelineProblem(open, [span('A', '1999-01-01', '2099-01-01')])).to.equal(undefined);
  });

  it('refuses a phase that ends before it begins', () => {
    expect(problem(span('A', '2026-02-02', '2026-02-01'))).to.equal('DatesOutOfOrder');
  });

  it('accepts exactly the sets of phases in which every day between the first and the last has one phase', () => {
    const base = Date.UTC(2026, 0, 1);
    const day = (n: number) => new Date(base + n * 86_400_000).toISOString().slice(0, 10);
    const year = { start_date: day(0), end_date: day(364) };
    const anyPhase = fc
      .tuple(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 15 }))
      .map(([start, length]) => ({ start, end: start + length }));
    // Random ones hardly ever follow each other, so half of the histories are made of phases that do.
    const following = fc
      .tuple(fc.integer({ min: 0, max: 20 }), fc.array(fc.integer({ min: 0, max: 15 }), { minLength: 1, maxLength: 6 }))
      .map(([first, lengths]) => {
        let next = first;
        return lengths.map((length) => {
          const start = next;
          next += length + 1;
          return { start, end: start + length };
        });
      });
    const anyPhases = fc.array(anyPhase, { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(fc.oneof(anyPhases, following), (phases) => {
        const first = Math.min(...phases.map(({ start }) => start));
        const last = Math.max(...phases.map(({ end }) => end));
        let exact = true;
        for (let n = first; n <= last; n++)
          exact &&= phases.filter(({ start, end }) => start <= n && n <= end).length === 1;
        const spans = phases.map(({ start, end }, i) => span(`phase ${i}`, day(start), day(end)));
        expect(timelineProblem(year, spans) === undefined).to.equal(exact);
      }),
      { numRuns: 500 },
    );
  });

  it('knows the day after the end of a month, of a leap February and of a year', () => {
    expect(['2026-01-31', '2028-02-28', '2028-02-29', '2026-12-31'].map(dayAfter)).to.deep.equal([
      '2026-02-01',
      '2028-02-29',
      '2028-03-01',
      '2027-01-01',
    ]);
  });
});
