import { expect } from 'chai';
import fc from 'fast-check';
import { newWords, typed, withoutSpec } from './tell.ts';

describe('what the demonstration tells', () => {
  const failed = 'figure "budget" was ["2800000.00"], is ["2760000.00"]; check "sum": expected "0", got "4". Wrong.';

  it('is a sentence once, and then only what is new', () => {
    const undoing = `${failed} It is being undone (step Verify).`;
    expect(newWords('', undoing)).to.equal(undoing);
    expect(newWords(undoing, `${failed} It is being undone (step RollbackScaleUp).`)).to.equal(
      'It is being undone (step RollbackScaleUp).',
    );
    expect(newWords(undoing, `${failed} Everything was undone. Down for 4.8 s.`)).to.equal(
      'Everything was undone. Down for 4.8 s.',
    );
    expect(newWords('Migrating a → b: step Fence.', 'Migrating a → b: step Verify.')).to.equal(
      'Migrating a → b: step Verify.',
    );
  });

  it('leaves nothing out that was not said just before', () => {
    const message = fc.array(fc.constantFrom('One. ', 'Two. ', 'Thr', '1.5 s', '. ')).map((parts) => parts.join(''));
    fc.assert(
      fc.property(message, message, (before, now) => {
        const told = newWords(before, now);
        expect(now.endsWith(told)).to.equal(true);
        expect(before.startsWith(now.slice(0, now.length - told.length))).to.equal(true);
      }),
    );
  });

  it('is a command that can be copied', () => {
    const command = ['kubectl', '-n', 'planner', 'patch', 'pm', 'x', '-p', '{"spec":{"state":"RolledBack"}}'];
    const args = `-n planner patch pm x -p '{"spec":{"state":"RolledBack"}}'`;
    expect(typed({ provider: 'kind' }, command)).to.equal(`npm run kubectl -- ${args}`);
    expect(typed({ provider: 'existing' }, command)).to.equal(`kubectl ${args}`);
  });

  it('leaves the spec out of a description, and nothing else', () => {
    const described =
      'Name:  x\nSpec:\n  Query:  SELECT 1\nFROM a\n\n  State:  Migrated\nStatus:\n  Phase:  Succeeded\n';
    expect(withoutSpec(described)).to.equal(
      'Name:  x\nSpec:  (left out here: it is the manifest)\nStatus:\n  Phase:  Succeeded\n',
    );
    expect(withoutSpec('Name:  x\n')).to.equal('Name:  x\n');
  });
});
