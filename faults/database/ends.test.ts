import { expect } from 'chai';
import fc from 'fast-check';
import { allowedAfter } from './ends.ts';
import { INDEX_FAULTS, STATEMENT_FAULTS } from './faults.ts';
import { histories } from './histories.ts';
import type { Moment } from './scene.ts';

const CUTS_SHORT = STATEMENT_FAULTS.filter(
  (fault) => !fault.endsWith('-session') && !fault.endsWith('-full') && fault !== 'cancel',
);
const moment = fc.record({
  goal: fc.constantFrom('Prepared', 'Migrated', 'RolledBack', 'Finished'),
  isLifting: fc.boolean(),
  isHalfDone: fc.boolean(),
}) satisfies fc.Arbitrary<Moment>;
const at = (fault: (typeof STATEMENT_FAULTS)[number] | (typeof INDEX_FAULTS)[number]) =>
  ({ at: 'Statement', statement: 'COMMIT.1', fault }) as const;

describe('How a faulted run may end', () => {
  it('is as without a fault where that only cut something short', () => {
    fc.assert(
      fc.property(fc.constantFrom(...CUTS_SHORT), moment, (fault, when) => {
        const { ends, needsHuman } = allowedAfter(at(fault), when, histories.success);
        expect(needsHuman).to.equal(false);
        expect(ends).to.deep.equal(when.isHalfDone ? ['Reference', 'Undone'] : ['Reference']);
      }),
    );
  });

  it('is by down only once the fence was being lifted, whatever the fault', () => {
    fc.assert(
      fc.property(fc.constantFrom(...STATEMENT_FAULTS), moment, (fault, when) => {
        const { ends } = allowedAfter(at(fault), { ...when, isLifting: false }, histories.success);
        expect(ends).not.to.include('UndoneByDown');
      }),
    );
  });

  it('needs nobody where nothing refused a statement on the way back', () => {
    const when: Moment = { goal: 'Prepared', isLifting: false, isHalfDone: false };
    expect(allowedAfter(at('cancel'), when, histories.success).needsHuman).to.equal(false);
    expect(allowedAfter(at('cancel'), { ...when, goal: 'RolledBack' }, histories.success).needsHuman).to.equal(true);
  });

  it('is never with an invalid index', () => {
    for (const fault of INDEX_FAULTS) {
      const when: Moment = { goal: 'Migrated', isLifting: false, isHalfDone: true };
      expect(allowedAfter(at(fault), when, histories.index).ends).to.deep.equal(['Undone']);
    }
  });
});
