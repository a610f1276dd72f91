import { expect } from 'chai';
import type { RunObservation } from './observation.ts';
import { decideRun } from './run.ts';
import { runnerStep } from './simulation/runner.ts';
import { NEW_IMAGE, OLD_IMAGE, World, type Verification } from './simulation/world.ts';

/** A run of which everything is prepared, and nobody has looked since. */
function prepared(verification?: Verification): World {
  const world = new World('Up', verification);
  for (let round = 0; round < 200 && world.run?.status?.runner?.reachedGoal !== 'Prepared'; round++) {
    const seen = look(world);
    world.apply(seen, decideRun(seen), 99);
    runnerStep(world, new Set());
  }
  return world;
}

function look(world: World): RunObservation {
  const seen = world.observe();
  if (!seen) throw new Error('the run is gone');
  return seen;
}

function pass(world: World, change: (seen: RunObservation) => void): void {
  const seen = look(world);
  change(seen);
  world.apply(seen, decideRun(seen), 99);
}

/** No verification Job comes as far as its gate. */
function stuck(seen: RunObservation): void {
  for (const { pod } of seen.verificationJobs) {
    if (!pod) continue;
    pod.started = false;
    pod.problem = { reason: 'ImagePullBackOff', message: 'no such image', restarts: 0 };
  }
}

const LONG_AFTER = 100_000_000;

describe('noticeFailure', () => {
  for (const [kind, heldBack] of [
    ['Deployment', 'spec.paused is true'],
    ['StatefulSet', 'spec.updateStrategy.rollingUpdate.partition is 2'],
  ] as const)
    it(`refuses a ${kind} that would not give all its pods the new images`, () => {
      const world = prepared();
      pass(world, (seen) => {
        const [workload] = seen.workloads;
        if (workload?.found) workload.found.heldBack = heldBack;
      });
      expect(world.run?.status?.failure).to.include({ step: 'Preflight', reason: 'WorkloadHeldBack' });
      expect(world.run?.status?.failure?.message).to.contain(heldBack).and.contain('Resume it');
      expect(world.deployment.replicas).to.equal(3);
    });

  it('begins no outage where the new images are already: they would come back on the old schema', () => {
    const world = prepared();
    world.deployment.image = NEW_IMAGE;
    pass(world, () => undefined);
    expect(world.run?.status?.failure).to.include({ step: 'Preflight', reason: 'ImagesAlreadySet' });
    expect(world.run?.status?.failure?.message).to.match(/^Deployment backend already has the images .*backend:2\)/);
    expect(world.deployment.replicas).to.equal(3);
  });

  it('takes the new images for right where the database is at its target', () => {
    const world = prepared();
    world.deployment.image = NEW_IMAGE;
    world.run!.status!.runner!.alreadyAtTarget = true;
    pass(world, () => undefined);
    expect(world.run?.status?.failure).to.equal(undefined);
    expect(world.run?.status?.outcome).to.equal('Succeeded');
  });

  it('begins no outage for a smoke test that nobody can ask', () => {
    const world = prepared();
    pass(world, (seen) => {
      seen.unaskableSmokeTests = [{ name: 'alive', why: 'Service x does not exist in namespace ns' }];
    });
    expect(world.run?.status?.failure).to.include({ step: 'Preflight', reason: 'ServiceNotFound' });
    expect(world.run?.status?.failure?.message).to.contain('"alive" cannot be asked: Service x does not exist');
    expect(world.deployment.replicas).to.equal(3);
  });

  it('ends a preparation whose verification Job never starts, in the kubelet’s words', () => {
    const world = prepared('Passes');
    pass(world, () => undefined);
    pass(world, stuck);
    expect(world.run?.status?.failure, 'before its time is over').to.equal(undefined);
    world.now += LONG_AFTER;
    pass(world, stuck);
    const { failure } = world.run?.status ?? {};
    expect(failure?.reason).to.equal('PreparationDeadlineExceeded');
    expect(failure?.message).to.match(/it waits for: Job figures-1: ImagePullBackOff: no such image$/);
    expect(world.deployment.replicas).to.equal(3);
  });

  it('does not end what is suspended, has lost its session and prepares again', () => {
    const world = prepared();
    world.now += LONG_AFTER;
    pass(world, (seen) => {
      if (seen.migration) seen.migration.spec.suspend = true;
      delete seen.run.status?.runner?.reachedGoal;
    });
    expect(world.run?.status?.failure).to.equal(undefined);
  });

  it('does not end what is prepared and suspended', () => {
    const world = prepared('Passes');
    pass(world, stuck);
    world.now += LONG_AFTER;
    pass(world, (seen) => {
      stuck(seen);
      if (seen.migration) seen.migration.spec.suspend = true;
    });
    expect(world.run?.status?.failure).to.equal(undefined);
    expect(world.deployment.replicas).to.equal(3);
  });
});

describe('A workload that another run has in its hands', () => {
  const inUse = (seen: RunObservation) => {
    seen.workloadsInUse = [{ kind: 'Deployment', name: 'backend', run: 'other-1' }];
  };
  const sentence =
    'Deployment backend is in use by PhaseMigrationRun other-1: the outage begins when that run has ended';

  it('is told of however many and long the names are', () => {
    const world = prepared();
    pass(world, (seen) => {
      const run = 'r'.repeat(253);
      seen.workloadsInUse = Array.from({ length: 16 }, () => ({
        kind: 'Deployment' as const,
        name: 'x'.repeat(253),
        run,
      }));
    });
    expect(world.run?.status?.waitingFor).to.have.length(2048);
  });

  it('is left alone until that run has ended, and the status says so', () => {
    const world = prepared();
    for (let round = 0; round < 5; round++) pass(world, inUse);
    expect(world.deployment.replicas).to.equal(3);
    expect(world.run?.status?.workloads).to.equal(undefined);
    expect(world.run?.status?.conditions?.[0]).to.include({ reason: 'WorkloadInUse', message: `${sentence}.` });
    const seen = look(world);
    inUse(seen);
    expect(decideRun(seen).lookAgainAfter).to.be.lessThanOrEqual(1000);

    pass(world, () => undefined);
    expect(world.run?.status?.waitingFor).to.equal(undefined);
    expect(world.run?.status?.workloads?.[0]?.replicas).to.equal(3);
    expect(world.deployment.replicas).to.equal(0);
  });

  it('is not judged for the images that run has set, but is when it has left them there', () => {
    for (const [image, reason] of [
      [OLD_IMAGE, undefined],
      [NEW_IMAGE, 'ImagesAlreadySet'],
    ] as const) {
      const world = prepared();
      world.deployment.image = NEW_IMAGE;
      for (let round = 0; round < 5; round++) pass(world, inUse);
      expect(world.run?.status?.failure).to.equal(undefined);
      expect(world.run?.status?.conditions?.[0]).to.include({ reason: 'WorkloadInUse', message: `${sentence}.` });

      world.deployment.image = image;
      pass(world, () => undefined);
      expect(world.run?.status?.failure?.reason).to.equal(reason);
      expect(world.deployment.replicas).to.equal(reason ? 3 : 0);
    }
  });

  it('is judged at once for what no run changes', () => {
    for (const [reason, change] of [
      ['WorkloadNotFound', { found: undefined }],
      ['WorkloadHeldBack', { heldBack: 'spec.paused is true' }],
      ['ContainerNotFound', { images: { other: NEW_IMAGE } }],
    ] as const) {
      const world = prepared();
      pass(world, (seen) => {
        inUse(seen);
        const [workload] = seen.workloads;
        if ('found' in change) delete workload!.found;
        else Object.assign(workload!.found!, change);
      });
      expect(world.run?.status?.failure?.reason).to.equal(reason);
    }
  });

  it('is not waited for longer than the preparation may take', () => {
    const world = prepared();
    pass(world, inUse);
    world.now += LONG_AFTER;
    pass(world, inUse);
    expect(world.run?.status?.failure?.reason).to.equal('PreparationDeadlineExceeded');
    expect(world.run?.status?.failure?.message).to.contain(sentence);
    expect(world.run?.status?.waitingFor).to.equal(undefined);
  });
});
