import { expect } from 'chai';
import { nextConditions } from './conditions.ts';

describe('nextConditions', () => {
  it('has room for every message: a longer one would be refused with the whole status', () => {
    const wish = { status: 'False' as const, reason: 'R', message: 'x'.repeat(40_000) };
    const conditions = nextConditions(undefined, { Ready: wish, Succeeded: wish }, 1, 0);
    expect(conditions.map(({ message }) => message.length)).to.deep.equal([32_768, 32_768]);
  });
});
