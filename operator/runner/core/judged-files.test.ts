import { expect } from 'chai';
import { judgedFiles, othersThanJudged } from './judged-files.ts';

const evidence = (...revisions: string[]) => revisions.map((revision) => `${revision} 0123456789abcdef`).join(', ');

describe('The files that were judged', () => {
  const differences = (text: string | undefined, now: string[]) => othersThanJudged(judgedFiles(text), now)?.message;

  it('are told from others by the revisions and their order', () => {
    const judged = evidence('a', 'b', 'c');
    expect(differences(judged, ['a', 'b', 'c'])).equal(undefined);
    expect(differences(judged, ['a', 'c'])).equal('revision "b" is gone');
    expect(differences(judged, ['a', 'x', 'b', 'c'])).equal('revision "x" is new');
    expect(differences(judged, ['b', 'a', 'c'])).equal('revision "a" is at another place');
  });

  it('are only the first ones where the evidence was cut, wherever that was', () => {
    const whole = evidence('a', 'b', 'c');
    for (let length = evidence('a', 'b').length; length < whole.length; length++) {
      const cut = `${whole.slice(0, length)}…`;
      expect(differences(cut, ['a', 'b', 'c', 'd']), cut).equal(undefined);
      expect(differences(cut, ['x', 'b', 'c', 'd']), cut).equal('revision "a" is gone');
    }
  });

  it('are not known to a runner whose earlier start did not record them', () => {
    expect(differences(undefined, ['a'])).equal(undefined);
  });
});
