import { expect } from 'chai';
import fc from 'fast-check';
import { mergePatch } from '../decide/simulation/merge-patch.ts';
import { statusPatch } from './status-patch.ts';

const leaf = fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.array(fc.integer(), { maxLength: 3 }));
const key = fc.constantFrom('a', 'b', 'c');
const status = fc.dictionary(key, fc.oneof(leaf, fc.dictionary(key, leaf, { maxKeys: 3 })), { maxKeys: 3 });

describe('statusPatch', () => {
  it('turns the one status into the other', () => {
    fc.assert(
      fc.property(status, status, (before, after) => {
        const patch = statusPatch(before, after);
        expect(mergePatch(before, patch ?? {})).to.deep.equal(after);
      }),
    );
  });

  it('is nothing where nothing is new', () => {
    fc.assert(
      fc.property(status, (same) => {
        expect(statusPatch(same, { ...same, none: undefined })).to.equal(undefined);
      }),
    );
  });

  it('leaves the fields of others alone', () => {
    expect(statusPatch({ runner: 1, phase: 'x' }, { phase: 'y' }, (field) => field !== 'runner')).to.deep.equal({
      phase: 'y',
    });
  });
});
