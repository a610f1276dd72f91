import { expect } from 'chai';
import { Interrupted, Unreachable } from './core/failure.ts';
import { HolderRow } from './holder-row.ts';

describe('The row that says who works on a database', () => {
  it('is not taken for removed when its session was cut before', async () => {
    const row = new HolderRow({
      ...{ database: 'shop', lockPid: 1, holder: { name: 'shop/rename-1', runUid: 'uid', epoch: 1 } },
      open: () => Promise.reject(new Unreachable('the server is away')),
      state: () => ({ state: 'Working' }),
      onProblem: () => undefined,
      onLockLost: () => undefined,
    });
    row.end();
    const refusal: unknown = await row.remove().catch((error: unknown) => error);
    expect(refusal).to.be.instanceOf(Interrupted);
  });
});
