import { expect } from 'chai';
import { Turns } from './turns.ts';

describe('Turns', () => {
  it('lets the next one begin when the one before is done, also after a failure', async () => {
    const turns = new Turns();
    const log: string[] = [];
    const act = (name: string, fails = false) =>
      turns.take(async () => {
        log.push(`${name} begins`);
        await Promise.resolve();
        log.push(`${name} ends`);
        if (fails) throw new Error(name);
        return name;
      });
    const results = await Promise.allSettled([act('a'), act('b', true), act('c')]);
    expect(results.map(({ status }) => status)).to.deep.equal(['fulfilled', 'rejected', 'fulfilled']);
    expect(log).to.deep.equal(['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends']);
  });
});
