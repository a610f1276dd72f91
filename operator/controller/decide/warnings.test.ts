import { expect } from 'chai';
import { Scene } from './simulation/scene.ts';

describe('A decision that nobody carries out', () => {
  const failure = { step: 'Verify' as const, reason: 'CheckFailed', message: 'A check failed.' };

  function warningsAfter(asked: { runUID?: string; number: number }): string[] {
    const scene = new Scene();
    scene.reconcile();
    const resolutions = [{ number: 1, action: 'Retry' as const, state: 'Begun' as const, time: 'now', message: '' }];
    scene.end({ outcome: 'NeedsHuman', failure, resolutions });
    scene.migration.spec.resolution = { ...scene.decision(1), action: 'Retry', ...asked };
    scene.reconcile();
    return scene.migration.status?.warnings ?? [];
  }

  it('because its number is too high is told with the number that is next', () => {
    expect(warningsAfter({ number: 5 })).to.deep.equal([
      'spec.resolution (Retry, number 5, for run phases-1 with UID run-1) is not carried out: the next number is 2.',
    ]);
  });

  it('because it is about an earlier run of the same name is told with the run that waits', () => {
    expect(warningsAfter({ number: 2, runUID: 'earlier' }).join()).to.match(
      /for run phases-1 with UID earlier\) .* is run phases-1 with UID run-1, /,
    );
  });

  it('because it was carried out before is no news', () => {
    expect(warningsAfter({ number: 1 })).to.deep.equal([]);
  });
});
