import { expect } from 'chai';
import { atATime } from './pool.ts';

describe('Doing the same some at a time', () => {
  it('begins nothing more after a failure', async () => {
    const begun: number[] = [];
    let fail: (error: Error) => void = () => undefined;
    let finish: () => void = () => undefined;
    const working = atATime(2, [1, 2, 3, 4], (item) => {
      begun.push(item);
      return new Promise<void>((resolve, reject) => {
        if (item === 1) fail = reject;
        else finish = resolve;
      });
    });
    fail(new Error('broken'));
    const failure: unknown = await working.catch((error: unknown) => error);
    finish();
    await new Promise((resolve) => setImmediate(resolve));
    expect((failure as Error).message).to.equal('broken');
    expect(begun).to.deep.equal([1, 2]);
  });
});
