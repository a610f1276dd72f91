import { expect } from 'chai';
import type { Attempt } from './attempt.ts';
import { casesOf, idOf, longForm, shortForm } from './cases.ts';
import { isSlow } from './faults.ts';
import type { PassedStatement } from './wire.ts';

describe('The cases of a sweep of the database plane', () => {
  const statement = (id: string, milliseconds: number): PassedStatement => ({
    id,
    name: id.replace(/\.\d+$/, ''),
    isProgram: id.startsWith('program-'),
    milliseconds,
  });
  const statements = [
    ...['connect.1', 'BEGIN.1', 'BEGIN.2', 'SELECT-1.1', 'program-connect.1', 'program-COPY-item.1'].map((id) =>
      statement(id, 1),
    ),
    ...['COMMIT.1', 'CREATE-INDEX-CONCURRENTLY-item_price.1'].map((id) => statement(id, 5)),
  ];
  const reference = { statements, reports: 4 } as Attempt;
  const all = [...casesOf('success', reference), ...casesOf('restore-dump', reference)];
  const ids = all.map(idOf);

  it('have names of their own', () => {
    expect(new Set(ids).size).to.equal(ids.length);
    expect(ids).to.include.members([
      'database/success/COMMIT.1:answer-lost',
      'database/success/report.4:crash',
      'database/success/goal-Migrated:archive-changed',
      'database/success/begin:latency',
      'database/restore-dump/goal-RolledBack:archive-swapped',
    ]);
  });

  it('are only what can come', () => {
    const cancelled = ids.filter((id) => id.startsWith('database/success/') && id.endsWith(':cancel'));
    expect(cancelled).to.deep.equal([
      'database/success/COMMIT.1:cancel',
      'database/success/CREATE-INDEX-CONCURRENTLY-item_price.1:cancel',
    ]);
    expect(ids.filter((id) => id.endsWith(':volume-full')).every((id) => id.includes('/program-connect.'))).to.equal(
      true,
    );
    expect(ids.filter((id) => id.includes('/SELECT-1.1:'))).to.deep.equal([]);
    expect(ids.filter((id) => id.endsWith(':invalid-by-cut'))).to.have.length(2);
    expect(ids).not.to.include('database/success/goal-RolledBack:archive-swapped');
  });

  it('are the same for the same seed', () => {
    for (const form of [shortForm, longForm]) {
      expect(form(all, 1).map(idOf)).to.deep.equal(form(all, 1).map(idOf));
      expect(form(all, 1).map(idOf)).not.to.deep.equal(form(all, 2).map(idOf));
    }
  });

  it('come to every quick fault in the short form, and to nothing that takes long', () => {
    const faults = new Set(all.filter(({ fault }) => !isSlow(fault)).map(({ fault }) => fault.fault));
    const drawn = shortForm(all, 7);
    expect(new Set(drawn.map(({ fault }) => fault.fault))).to.deep.equal(faults);
    expect(drawn.some(({ fault }) => isSlow(fault))).to.equal(false);
  });

  it('come to every name of a statement of the runner, and to what has no place, in the long form', () => {
    const placeOf = (id: string) => id.replace(/:[^:]*$/, '').replace(/\.\d+$/, '');
    const drawn = new Set(longForm(all, 7).map((one) => placeOf(idOf(one))));
    const wanted = ids.filter((id) => !id.includes('/program-') && !id.includes('/report.'));
    for (const id of wanted) expect(drawn.has(placeOf(id)), id).to.equal(true);
    for (const kind of ['/program-', '/report']) expect([...drawn].join(' ')).to.include(kind);
  });
});
