import { expect } from 'chai';
import { casesOf, choose, idOf, longForm, matches, sample } from './cases.ts';
import { CALL_FAULTS, WATCH_FAULTS, WATCHED } from './faults.ts';

describe('The cases of a sweep', () => {
  const call = (name: string, number: number, kind: 'Work' | 'Lease' = 'Work') => ({
    class: kind,
    name,
    id: `${name}.${number}`,
    at: 0,
    connection: 1,
  });
  const calls = [
    { ...call('create-run', 1), id: 'create-run' },
    call('put-lease', 1, 'Lease'),
    call('patch-run', 1),
    call('patch-run', 2),
  ];
  const all = [...casesOf('success', calls), ...casesOf('deleted', calls)];

  it('are every numbered call with every fault, and every watch with every fault', () => {
    const each = 3 * CALL_FAULTS.length + WATCHED.length * WATCH_FAULTS.length;
    expect(new Set(all.map(idOf)).size).to.equal(2 * each);
    expect(all.map(idOf).some((id) => id.includes('create-run'))).to.equal(false);
  });

  it('are every call with one fault, where one is asked for', () => {
    const chosen = choose(all, { long: false, seed: 7, fault: 'late', shortCases: 1 });
    expect(chosen.map(idOf)).to.have.members(all.map(idOf).filter((id) => id.endsWith(':late')));
    expect(chosen).to.have.length(6);
  });

  it('are found by name and by number', () => {
    const found = all.filter((one) => matches(one, 'success/U2:409'));
    expect(found.map(idOf)).to.deep.equal(['success/patch-run.2:409']);
    expect(found.every((one) => matches(one, 'success/patch-run.2:409'))).to.equal(true);
  });

  it('are the same for the same seed, and others for another', () => {
    const drawn = (seed: number) => sample(all, 10, seed).map(idOf);
    expect(drawn(1)).to.deep.equal(drawn(1)).and.to.have.length(10);
    expect(drawn(1)).not.to.deep.equal(drawn(2));
  });

  it('come to every call in the long form', () => {
    const names = new Set(longForm(all, 7).map((one) => idOf(one).replace(/:.*/, '')));
    for (const one of all.filter(({ fault }) => fault.at === 'Call'))
      expect(names.has(idOf(one).replace(/:.*/, '')), idOf(one)).to.equal(true);
  });
});
