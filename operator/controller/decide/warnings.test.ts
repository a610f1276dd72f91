import { expect } from 'chai';
import { Scene } from './simulation/scene.ts';

describe('A decision that nobody carries out', () => {
  const failure = { step: 'Verify' as const, reason: 'CheckFailed', message: 'A check failed.' };

  function warningsAfter(asked: { runName?: string; number: number }): string[] {
    const scene = new Scene();
    scene.reconcile();
    const { name } = scene.runs[0]!.metadata;
    const resolutions = [{ number: 1, action: 'Retry' as const, state: 'Begun' as const, time: 'now', message: '' }];
    scene.end({ outcome: 'NeedsHuman', failure, resolutions });
    scene.migration.spec.resolution = { runName: name, action: 'Retry', ...asked };
    scene.reconcile();
    return scene.migration.status?.warnings ?? [];
  }

  it('because its number is too high is told with the number that is next', () => {
    expect(warningsAfter({ number: 5 }).join()).to.match(/number 5, .* is not carried out: .* the next number is 2\.$/);
  });

  it('because there is no such run is told with the run that waits', () => {
    expect(warningsAfter({ number: 2, runName: 'nope' }).join()).to.match(/for run nope\) .* is run phases-1, /);
  });

  it('because it was carried out before is no news', () => {
    expect(warningsAfter({ number: 1 })).to.deep.equal([]);
  });
});
