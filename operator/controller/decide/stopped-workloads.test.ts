import { expect } from 'chai';
import { phaseMigrationRunStatus, type PhaseMigrationRunStatus } from '../../api/phase-migration-run.ts';
import { Draft } from './draft.ts';
import type { PodObservation } from './observation.ts';
import { decideRun } from './run.ts';
import { operatorPass } from './simulation/play.ts';
import { runnerStep } from './simulation/runner.ts';
import { NEW_IMAGE, World, type StartPolicy } from './simulation/world.ts';
import { recordStanding, recordStarting, recordStopped } from './stopped-workloads.ts';

const pod = (name: string, more: Partial<PodObservation> = {}): PodObservation => ({
  ...{ name, terminating: false, ended: false, ready: false },
  ...more,
});
const failure = { step: 'Verify', reason: 'CheckFailed', message: 'wrong' } as const;
const scaleUp: PhaseMigrationRunStatus['steps'] = [{ name: 'ScaleUp', state: 'Skipped', startTime: '' }];

function recorded(
  pods: PodObservation[],
  {
    startPolicy = 'AfterUnfence',
    ...status
  }: Partial<PhaseMigrationRunStatus> & { startPolicy?: StartPolicy; accepted?: boolean } = {},
): { workloadsStopped?: boolean; waitingFor?: string } {
  const { accepted, ...rest } = status as PhaseMigrationRunStatus & { accepted?: boolean };
  const seen = new World('Up', undefined, startPolicy).observe()!;
  seen.run.status = rest;
  if (accepted) seen.run.spec.resolution = { number: 1, action: 'Accept', runnerEpoch: 2 };
  seen.workloads[0]!.pods = pods;
  const draft = new Draft(seen);
  recordStopped(draft);
  const { workloadsStopped, waitingFor } = draft.status;
  return { workloadsStopped, waitingFor };
}

const isStopped = (...parameters: Parameters<typeof recorded>) => recorded(...parameters).workloadsStopped;

describe('A scale-down that a pod does not follow', () => {
  /** After so many milliseconds of the step a pod stands that no controller stops. */
  function words(step: 'ScaleDown' | 'RollbackScaleDown', milliseconds: number, pods = [pod('copy'), pod('copy-2')]) {
    const world = new World();
    const seen = world.observe()!;
    seen.run.status = { steps: [{ name: step, state: 'Running', startTime: new Date(world.now).toISOString() }] };
    seen.now += milliseconds;
    seen.workloads[0]!.pods = pods;
    seen.workloads[0]!.found!.replicas = 0;
    seen.workloads[0]!.found!.upToDate = pods.length > 0;
    const draft = new Draft(seen);
    recordStanding(draft, step);
    return { waitingFor: draft.status.waitingFor, lookAgainAfter: draft.decision().lookAgainAfter };
  }

  it('is told with the pods’ names after five seconds, not before', () => {
    expect(words('RollbackScaleDown', 4000)).to.deep.equal({ waitingFor: undefined, lookAgainAfter: 1000 });
    expect(words('RollbackScaleDown', 5000).waitingFor).to.match(
      /^Not told to stop by its controller: pod copy of Deployment backend, pod copy-2 of Deployment backend; .*kubectl -n ns delete pod copy$/,
    );
    expect(words('ScaleDown', 5000, []).waitingFor).to.match(/^The controller of Deployment backend has not seen yet/);
  });
});

describe('A pod that nobody stops', () => {
  const startTime = (world: World) => new Date(world.now - 6000).toISOString();

  it('is named while the application is scaled down', () => {
    const world = new World();
    Object.assign((world.run!.status ??= {}), {
      steps: [{ name: 'ScaleDown', state: 'Running', startTime: startTime(world) }],
      workloads: [{ kind: 'Deployment', name: 'backend', uid: 'd', replicas: 3, selector: 'app=backend', images: {} }],
      runner: { epoch: 1, reachedGoal: 'Prepared' },
    });
    expect(decideRun(world.observe()!).status?.waitingFor).to.match(/^Not told to stop by its controller: pod /);
  });

  it('is named while the new version is taken down again', () => {
    const world = new World();
    world.run!.spec.goal = 'Migrated';
    world.run!.status = {
      steps: [
        { name: 'ScaleDown', state: 'Succeeded', startTime: startTime(world) },
        { name: 'ScaleUp', state: 'Failed', startTime: startTime(world) },
        { name: 'RollbackScaleDown', state: 'Running', startTime: startTime(world) },
      ],
      workloads: [{ kind: 'Deployment', name: 'backend', uid: 'd', replicas: 3, selector: 'app=backend', images: {} }],
      failure,
      runner: { epoch: 1, reachedGoal: 'Migrated' },
    };
    expect(decideRun(world.observe()!).status?.waitingFor).to.match(/^Not told to stop by its controller: pod /);
  });
});

describe('The fence may be lifted', () => {
  const ending = pod('old', { terminating: true });
  const ended = pod('gone', { terminating: true, ended: true });
  const standing = pod('new');

  it('when every pod has ended, not when it was told to', () => {
    expect(isStopped([])).to.equal(true);
    expect(isStopped([ended])).to.equal(true);
    expect(isStopped([ended, ending])).to.equal(false);
    expect(isStopped([standing])).to.equal(false);
  });

  it('while the new version stands behind it', () => {
    expect(isStopped([standing], { startPolicy: 'BehindFence' })).to.equal(true);
    expect(isStopped([standing, ending], { startPolicy: 'BehindFence' })).to.equal(false);
  });

  it('at once for the old version that is still ending', () => {
    expect(isStopped([ending], { failure })).to.equal(true);
  });

  it('for the old version only when nobody is left of the new one', () => {
    expect(isStopped([ending], { failure, steps: scaleUp })).to.equal(false);
    expect(isStopped([standing], { failure, steps: scaleUp, startPolicy: 'BehindFence' })).to.equal(false);
    expect(isStopped([ended], { failure, steps: scaleUp })).to.equal(true);
  });

  it('for what a person accepted only when nobody is left', () => {
    expect(isStopped([ending], { failure, accepted: true })).to.equal(false);
  });

  it('again only after another look, once pods are started', () => {
    const seen = new World().observe()!;
    seen.run.status = { workloadsStopped: true };
    const draft = new Draft(seen);
    recordStarting(draft);
    expect(draft.status.workloadsStopped).to.equal(undefined);
  });

  it('no more once what stands behind it is to be undone', () => {
    const world = new World('Up', undefined, 'BehindFence');
    const isUndone = () => world.run?.spec.goal === 'RolledBack';
    let mayBeLifted = false;
    for (let round = 0; round < 50 && !isUndone(); round++) {
      operatorPass(world);
      if (isUndone()) break;
      mayBeLifted ||= world.run?.status?.workloadsStopped === true;
      // The old pods take their time, and so does the runner.
      if (round % 4 === 3) runnerStep(world, new Set(['Verify']));
      world.clusterStep();
      world.now += 10;
    }
    expect(isUndone()).to.equal(true);
    expect(mayBeLifted, 'before').to.equal(true);
    expect(world.pods.map(({ image }) => image)).to.include(NEW_IMAGE);
    expect(world.run?.status?.workloadsStopped).to.equal(false);
  });

  it('and who is in the way is named when the runner waits for it', () => {
    const runner = { epoch: 1, waitingFor: 'Clients are let in again when every pod … has ended.' };
    expect(recorded([ending]).waitingFor).to.equal(undefined);
    expect(recorded([ending, pod('older', { terminating: true })], { runner }).waitingFor).to.equal(
      'Still ending: pod old of Deployment backend, pod older of Deployment backend; if a node is lost for good and its pods with it: kubectl -n ns delete pod old older --force --grace-period=0',
    );
    const many = Array.from({ length: 7 }, (_, index) => pod(`p${index}`, { terminating: true }));
    expect(recorded(many, { runner }).waitingFor).to.include('pod p2 of Deployment backend and 4 more; if');
    const long = many.map((_, index) => pod(`${index}`.padEnd(253, 'x'), { terminating: true }));
    phaseMigrationRunStatus.parse(recorded(long, { runner }));
    expect(recorded([ended], { runner }).waitingFor).to.equal(undefined);
  });
});
