import { expect } from 'chai';
import { RETRY_ANNOTATION } from '../../api/names.ts';
import { Scene } from './simulation/scene.ts';

describe('A retry that is asked for', () => {
  for (const order of ['before the decision', 'together with it'])
    it(`never carries out a retry that was asked for ${order}, and says so`, () => {
      const scene = new Scene();
      scene.reconcile();
      const failure = { step: 'Verify' as const, reason: 'CheckFailed', message: 'A check failed.' };
      scene.runs[0]!.spec.goal = 'RolledBack';
      scene.end({ outcome: 'NeedsHuman', failure });
      scene.reconcile();
      scene.migration.metadata.annotations = { [RETRY_ANNOTATION]: 'now' };
      if (order === 'before the decision') {
        scene.reconcile();
        expect(scene.migration.status?.warnings?.join()).to.match(/^The retry .*"now".* is not carried out/);
      }
      scene.migration.spec.resolution = { ...scene.decision(1), action: 'RollBack' };
      scene.reconcile();
      scene.end({ outcome: 'RolledBack', failure });
      scene.reconcile();
      expect(scene.runs).to.have.length(1);
      expect(scene.migration.status?.warnings).to.equal(undefined);
      scene.migration.metadata.annotations = { [RETRY_ANNOTATION]: 'later' };
      scene.reconcile();
      expect(scene.runs).to.have.length(2);
      scene.end({ outcome: 'RolledBack', failure });
      scene.reconcile();
      expect(scene.runs).to.have.length(2);
    });

  it('begins once for a retry whose value is longer than the status has room for', () => {
    const scene = new Scene();
    scene.reconcile();
    scene.end({ outcome: 'Failed', failure: { step: 'Preflight', reason: 'CheckFailed', message: 'no' } });
    scene.migration.metadata.annotations = { [RETRY_ANNOTATION]: 'x'.repeat(300) };
    scene.reconcile();
    expect(scene.runs).to.have.length(2);
    expect(scene.migration.status?.observedRetry).to.have.length(256);
  });
});
