import { expect } from 'chai';
import { QuickLooks } from './quick-looks.ts';

describe('QuickLooks', () => {
  const surroundings = { name: 'pm-1', uid: 'r', migration: { name: 'pm', uid: 'u' }, workloads: [] };
  let now: number;
  let looks: QuickLooks;

  beforeEach(() => {
    now = 5000;
    looks = new QuickLooks(() => now);
    looks.remember('ns/pm-1', surroundings);
  });

  it('are followed by a current look when they lead to nothing, and by no third one', () => {
    const again = looks.foundNothing('ns/pm-1', true) ?? 0;
    expect(looks.known('ns/pm-1'), 'before its time').to.equal(surroundings);
    now += again;
    expect(looks.known('ns/pm-1'), 'when it is time').to.equal(undefined);
    expect(looks.foundNothing('ns/pm-1', false)).to.equal(undefined);
    expect(looks.known('ns/pm-1'), 'afterwards').to.equal(surroundings);
  });

  it('put the current look off while they go on, so that it never stands in the way of an outage', () => {
    const again = looks.foundNothing('ns/pm-1', true) ?? 0;
    now += again - 1;
    looks.foundNothing('ns/pm-1', true);
    now += 1;
    expect(looks.known('ns/pm-1')).to.equal(surroundings);
  });

  it('end with the run', () => {
    looks.foundNothing('ns/pm-1', true);
    looks.forget('ns/pm-1');
    expect(looks.known('ns/pm-1')).to.equal(undefined);
    looks.remember('ns/pm-1', surroundings);
    now += 10_000;
    expect(looks.known('ns/pm-1')).to.equal(surroundings);
  });
});
