import { expect } from 'chai';
import { FINALIZER, RETRY_ANNOTATION, RUN_PROTOCOL } from '../../api/names.ts';
import type { PhaseMigrationRun } from '../../api/resources.ts';
import { decideMigration } from './migration.ts';
import { Scene, START } from './simulation/scene.ts';

describe('decideMigration', () => {
  it('holds the object with a finalizer before it begins a run, and says Preparing before there is one', () => {
    const scene = new Scene();
    const first = decideMigration({ now: START, migration: scene.migration, runs: [] });
    expect(first).to.deep.equal({ finalizer: 'Add' });
    scene.migration.metadata.finalizers = [FINALIZER];
    const second = decideMigration({ now: START, migration: scene.migration, runs: [] });
    expect(second.createRun).to.equal(undefined);
    expect(second.status?.phase).to.equal('Preparing');
  });

  it('begins one run, frozen, and not another while the manifest says the same', () => {
    const scene = new Scene();
    scene.reconcile();
    expect(scene.runs).to.have.length(1);
    const [owner] = scene.runs[0]?.metadata.ownerReferences ?? [];
    expect(owner).to.include({ kind: 'PhaseMigration', controller: true });
    expect(owner, 'a foreground deletion must wait for nothing').not.to.have.property('blockOwnerDeletion');
    expect(scene.runs[0]?.spec).to.include({
      attempt: 1,
      direction: 'Up',
      startRevision: 'a',
      targetRevision: 'b',
      goal: 'Prepared',
    });
    scene.end({ outcome: 'Succeeded' });
    scene.reconcile();
    expect(scene.runs).to.have.length(1);
    expect(scene.migration.status?.phase).to.equal('Succeeded');
    expect(scene.ready()?.status).to.equal('True');
  });

  it('undoes on request with the images that were there before, and does it again on request', () => {
    const scene = new Scene();
    scene.reconcile();
    scene.end({ outcome: 'Succeeded' });
    scene.migration.spec.state = 'RolledBack';
    scene.reconcile();
    expect(scene.runs.at(-1)?.spec).to.include({
      attempt: 2,
      direction: 'Down',
      startRevision: 'b',
      targetRevision: 'a',
    });
    expect(scene.runs.at(-1)?.spec.plan.workloads[0]?.images).to.deep.equal({ backend: 'backend:1' });
    scene.end({ outcome: 'Succeeded' });
    scene.reconcile();
    expect(scene.migration.status?.phase).to.equal('RolledBack');
    expect(scene.ready()).to.include({ status: 'True', reason: 'RolledBackAsRequested' });
    scene.migration.spec.state = 'Migrated';
    scene.reconcile();
    expect(scene.runs.at(-1)?.spec).to.include({ attempt: 3, direction: 'Up' });
    expect(scene.runs.at(-1)?.spec.plan.workloads[0]?.images).to.deep.equal({ backend: 'backend:2' });
  });

  it('has nothing to undo where nothing was migrated', () => {
    const scene = new Scene();
    scene.migration.spec.state = 'RolledBack';
    scene.reconcile();
    expect(scene.runs).to.have.length(0);
    expect(scene.ready()).to.include({ status: 'True', reason: 'NothingToRollBack' });
  });

  it('does not roll back when nobody recorded the old images', () => {
    const scene = new Scene();
    scene.reconcile();
    scene.end({ outcome: 'Succeeded', workloads: undefined });
    scene.migration.spec.state = 'RolledBack';
    scene.reconcile();
    expect(scene.runs).to.have.length(1);
    expect(scene.ready()?.reason).to.equal('PreviousImagesUnknown');
  });

  it('rolls back to the images that the manifest names where nobody recorded them; recorded ones count more', () => {
    const plannedImages = (recorded: boolean) => {
      const scene = new Scene();
      scene.reconcile();
      scene.end({ outcome: 'Succeeded', ...(recorded ? {} : { workloads: undefined }) });
      Object.assign(scene.migration.spec.workloads[0]!, {
        images: { backend: 'backend:2', sidecar: 'sidecar:2' },
        previousImages: { backend: 'backend:0', sidecar: 'sidecar:0' },
      });
      scene.migration.spec.state = 'RolledBack';
      scene.reconcile();
      expect(scene.runs.at(-1)?.spec.direction).to.equal('Down');
      return scene.runs.at(-1)?.spec.plan.workloads[0]?.images;
    };
    expect(plannedImages(false)).to.deep.equal({ backend: 'backend:0', sidecar: 'sidecar:0' });
    expect(plannedImages(true)).to.deep.equal({ backend: 'backend:1', sidecar: 'sidecar:0' });
  });

  it('does not roll back when the manifest names the old images of some containers only', () => {
    const scene = new Scene();
    scene.reconcile();
    scene.end({ outcome: 'Succeeded', workloads: undefined });
    Object.assign(scene.migration.spec.workloads[0]!, {
      images: { backend: 'backend:2', sidecar: 'sidecar:2' },
      previousImages: { backend: 'backend:0' },
    });
    scene.migration.spec.state = 'RolledBack';
    scene.reconcile();
    expect(scene.runs).to.have.length(1);
    expect(scene.ready()?.message).to.contain('spec.workloads[].previousImages');
  });

  it('tries again after a failure when the retry annotation or the plan changes, never by itself', () => {
    const scene = new Scene();
    scene.reconcile();
    scene.end({ outcome: 'Failed', failure: { step: 'Preflight', reason: 'CheckFailed', message: 'A check failed.' } });
    scene.reconcile();
    expect(scene.runs).to.have.length(1);
    expect(scene.migration.status?.conditions?.map(({ type }) => type)).to.deep.equal([
      'Ready',
      'Succeeded',
      'Stalled',
    ]);
    scene.migration.metadata.annotations = { [RETRY_ANNOTATION]: 'now' };
    scene.reconcile();
    expect(scene.runs).to.have.length(2);
    scene.end({ outcome: 'Failed', failure: { step: 'Preflight', reason: 'CheckFailed', message: 'A check failed.' } });
    scene.migration.spec.backup.claimName = 'other';
    scene.reconcile();
    expect(scene.runs).to.have.length(3);
  });

  it('takes neither a run that was deleted by hand nor an annotation that was taken away for a request', () => {
    const scene = new Scene();
    scene.reconcile();
    scene.end({ outcome: 'Failed', failure: { step: 'Preflight', reason: 'CheckFailed', message: 'A check failed.' } });
    scene.migration.metadata.annotations = { [RETRY_ANNOTATION]: 'now' };
    scene.reconcile();
    scene.end({ outcome: 'Failed', failure: { step: 'Preflight', reason: 'CheckFailed', message: 'A check failed.' } });
    scene.reconcile();
    scene.migration.metadata.annotations = {};
    scene.reconcile();
    expect(scene.runs).to.have.length(2);
    scene.runs = [];
    scene.reconcile();
    expect(scene.runs).to.have.length(0);
    expect(scene.ready()?.reason).to.equal('CheckFailed');
    scene.migration.metadata.annotations = { [RETRY_ANNOTATION]: 'later' };
    scene.reconcile();
    expect(scene.runs).to.have.length(1);
  });

  it('begins nothing again when the last of several runs is deleted', () => {
    const scene = new Scene();
    scene.reconcile();
    scene.end({ outcome: 'Succeeded' });
    scene.reconcile();
    scene.migration.spec.state = 'RolledBack';
    scene.reconcile();
    scene.runs.pop();
    scene.reconcile();
    expect(scene.runs).to.have.length(1);
    expect(scene.ready()).to.include({ status: 'False', reason: 'Deleted' });
    scene.migration.spec.state = 'Migrated';
    scene.reconcile();
    expect(scene.runs).to.have.length(1);
    expect(scene.ready()).to.include({ status: 'True', reason: 'Succeeded' });
  });

  it('does not say that there is nothing to undo when the run that migrated was deleted', () => {
    const scene = new Scene();
    scene.reconcile();
    scene.end({ outcome: 'Succeeded', runner: { epoch: 1, revision: 'b' } });
    scene.reconcile();
    scene.runs = [];
    scene.migration.spec.state = 'RolledBack';
    scene.reconcile();
    expect(scene.ready()).to.include({ status: 'False', reason: 'PreviousImagesUnknown' });
    expect(scene.migration.status?.conditions?.some(({ type }) => type === 'Stalled')).to.equal(true);
    delete scene.migration.spec.workloads[0]!.images;
    scene.reconcile();
    expect(scene.runs.map(({ spec }) => spec.direction)).to.deep.equal(['Down']);
  });

  it('says that a run was deleted in the middle, and begins no other', () => {
    const scene = new Scene();
    scene.reconcile();
    scene.runs = [];
    scene.reconcile();
    expect(scene.runs).to.have.length(0);
    expect(scene.migration.status?.phase).to.equal('Failed');
    expect(scene.ready()?.message).to.contain('phases-1 was deleted');
  });

  it('waits for the run before to clean up before it begins the next', () => {
    const scene = new Scene();
    scene.reconcile();
    scene.end({ outcome: 'Succeeded' });
    (scene.runs[0] as PhaseMigrationRun).metadata.finalizers = [FINALIZER];
    scene.migration.spec.state = 'RolledBack';
    scene.reconcile();
    expect(scene.runs).to.have.length(1);
    expect(scene.ready()).to.include({ status: 'False', reason: 'Preparing' });
    expect(scene.migration.status?.phase).to.equal('Preparing');
    expect(scene.ready()?.message).to.match(/^PhaseMigrationRun phases-1 has ended and is cleaning up; /);
    expect(scene.migration.status?.conditions?.some(({ type }) => type === 'Reconciling')).to.equal(true);
  });

  it('begins nothing while suspended, nor after a run that needs a person', () => {
    const scene = new Scene();
    scene.migration.spec.suspend = true;
    scene.reconcile();
    expect(scene.runs).to.have.length(0);
    expect(scene.ready()?.reason).to.equal('Suspended');
    scene.migration.spec.suspend = false;
    scene.reconcile();
    scene.runs[0]!.spec.goal = 'RolledBack';
    scene.end({
      outcome: 'NeedsHuman',
      failure: { step: 'Verify', reason: 'CheckFailed', message: 'A check failed.' },
    });
    scene.migration.metadata.annotations = { [RETRY_ANNOTATION]: 'now' };
    scene.reconcile();
    expect(scene.runs).to.have.length(1);
    expect(scene.ready()?.message).to.contain('kubectl -n ns scale deployment/backend --replicas=3');
  });

  it('leaves its status alone until a decision about its run was answered', () => {
    const scene = new Scene();
    scene.reconcile();
    const failure = { step: 'Verify' as const, reason: 'CheckFailed', message: 'A check failed.' };
    scene.end({ outcome: 'NeedsHuman', failure });
    scene.reconcile();
    const before = structuredClone(scene.migration.status);
    scene.migration.metadata.generation! += 1;
    scene.migration.spec.resolution = { ...scene.decision(1), action: 'Retry' };
    scene.reconcile();
    expect(scene.migration.status).to.deep.equal(before);
    const resolutions = [
      { number: 1, action: 'Retry' as const, state: 'Refused' as const, time: 'now', message: 'no' },
    ];
    scene.end({ outcome: 'NeedsHuman', failure, resolutions });
    scene.reconcile();
    expect(scene.migration.status?.observedGeneration).to.equal(scene.migration.metadata.generation);
    expect(scene.ready()?.message).to.contain('Resolution 1 was refused: no.');
  });

  it('leaves what a newer version began alone, says so, and goes on when that is back', () => {
    const scene = new Scene();
    scene.reconcile();
    const { steps, runName, phase } = structuredClone(scene.migration.status!);
    const spec = scene.runs[0]!.spec;
    spec.protocol = RUN_PROTOCOL + 1;
    scene.migration.metadata.deletionTimestamp = '2026-01-31T22:01:00Z';
    scene.migration.metadata.generation = 2;
    scene.reconcile();
    expect(scene.migration.status).to.deep.include({ steps, runName, phase });
    expect(scene.ready()).to.include({ status: 'False', reason: 'NewerOperatorNeeded' });
    expect(scene.migration.status?.observedGeneration, 'these conditions are about this spec').to.equal(2);
    expect(scene.ready()?.message).to.match(/begun by a newer version .* Install that version again/);
    expect(scene.migration.metadata.finalizers).to.deep.equal([FINALIZER]);
    spec.protocol = RUN_PROTOCOL;
    scene.reconcile();
    expect(scene.ready()?.reason).not.to.equal('NewerOperatorNeeded');
  });

  it('keeps a deleted object until its run has brought its work to an end', () => {
    const scene = new Scene();
    scene.reconcile();
    scene.migration.metadata.deletionTimestamp = '2026-01-31T22:01:00Z';
    scene.reconcile();
    expect(scene.migration.metadata.finalizers).to.deep.equal([FINALIZER]);
    scene.end({ outcome: 'Failed', failure: { step: 'Backup', reason: 'Deleted', message: 'Deleted.' } });
    scene.reconcile();
    expect(scene.migration.metadata.finalizers).to.deep.equal([]);
  });

  it('says that a way down that failed left the database migrated', () => {
    const scene = new Scene();
    scene.reconcile();
    scene.end({ outcome: 'Succeeded' });
    scene.migration.spec.state = 'RolledBack';
    scene.reconcile();
    scene.end({
      outcome: 'RolledBack',
      failure: { step: 'Verify', reason: 'CheckFailed', message: 'A check failed.' },
    });
    scene.reconcile();
    expect(scene.migration.status?.phase).to.equal('Failed');
    expect(scene.ready()?.message).to.contain('the database is at b');
  });

  it('moves lastTransitionTime only with the status', () => {
    const scene = new Scene();
    scene.reconcile();
    const before = scene.ready()?.lastTransitionTime;
    scene.now += 60_000;
    (scene.runs[0] as PhaseMigrationRun).status = {
      steps: [],
      runner: { epoch: 1, steps: [{ name: 'Backup', state: 'Running' }] },
    };
    scene.reconcile();
    expect(scene.ready()?.lastTransitionTime).to.equal(before);
    expect(scene.ready()?.message).to.contain('step Backup');
    scene.end({ outcome: 'Succeeded' });
    scene.reconcile();
    expect(scene.ready()?.lastTransitionTime).to.not.equal(before);
  });
});
