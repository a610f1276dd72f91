import { expect } from 'chai';
import { isIrrevocable } from './irrevocable.ts';
import { World } from './simulation/world.ts';

describe('isIrrevocable', () => {
  const seen = new World().observe()!;
  const none = { actions: [], notices: [] };
  const failure = { step: 'Verify', reason: 'CheckFailed', message: 'wrong' } as const;

  it('is whatever starts another runner, begins to undo, or ends', () => {
    expect(isIrrevocable(seen, { ...none, spec: { runnerEpoch: 2 } })).to.equal(true);
    expect(isIrrevocable(seen, { ...none, status: { failure } })).to.equal(true);
    expect(isIrrevocable(seen, { ...none, status: { outcome: 'Succeeded' } })).to.equal(true);
    expect(isIrrevocable(seen, { ...none, finalizer: 'Remove' })).to.equal(true);
  });

  it('is not what is recorded already, nor a step on the way', () => {
    const run = { ...seen.run, status: { failure, outcome: 'RolledBack' as const } };
    expect(isIrrevocable({ ...seen, run }, { ...none, status: run.status })).to.equal(false);
    expect(isIrrevocable(seen, { ...none, spec: { goal: 'Migrated' }, status: {} })).to.equal(false);
    expect(isIrrevocable(seen, { ...none, finalizer: 'Add' })).to.equal(false);
  });
});
