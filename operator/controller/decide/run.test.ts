import { expect } from 'chai';
import { FINALIZER, RUN_PROTOCOL } from '../../api/names.ts';
import type { RunnerStepName } from '../../api/step-names.ts';
import { Draft } from './draft.ts';
import { decideRun } from './run.ts';
import { expectEnd } from './simulation/expect-end.ts';
import { operatorPass, settleDown } from './simulation/play.ts';
import { runnerStep } from './simulation/runner.ts';
import { NEW_IMAGE, OLD_IMAGE, REPLICAS, World } from './simulation/world.ts';

describe('decideRun', () => {
  it('goes the whole way when nothing fails', () => {
    const world = new World();
    settleDown(world, new Set());
    expect(world.run?.status?.outcome).to.equal('Succeeded');
    expect(world.deployment).to.include({ replicas: REPLICAS, image: NEW_IMAGE });
  });

  for (const [title, smokePasses] of [
    ['forward', true],
    ['back', false],
  ] as const)
    it(`ends a step that scaled down before the way ${title} up begins, although the runner was faster`, () => {
      const world = new World('Up');
      world.smokePasses = smokePasses;
      for (let round = 0; round < 400; round++) {
        const goal = world.run?.spec.goal;
        // The spec is written and the status is not: the runner has written in between, again and again.
        operatorPass(world, world.run?.status?.steps?.some(({ state }) => state === 'Running') ? 1 : 99);
        if (world.run?.spec.goal !== goal) for (let step = 0; step < 30; step++) runnerStep(world, new Set());
        runnerStep(world, new Set());
        world.clusterStep();
        world.now += 200;
      }
      settleDown(world, new Set());
      expectEnd(world, 'Up');
    });

  it('has no end of the outage while the application is down again, and counts both times', () => {
    const world = new World('Up');
    world.smokePasses = false;
    let answered: number | undefined;
    let downAgain: number | undefined;
    for (let round = 0; round < 400 && world.run?.status?.outcome === undefined; round++) {
      operatorPass(world);
      const { outage, steps } = world.run?.status ?? {};
      answered ??= outage?.milliseconds;
      const back = steps?.find(({ name }) => name === 'RollbackScaleDown');
      if (back && downAgain === undefined) {
        downAgain = world.now;
        expect(outage).to.not.have.any.keys('endTime', 'milliseconds');
      }
      runnerStep(world, new Set());
      world.clusterStep();
      world.now += 200;
    }
    const { outage, outcome } = world.run!.status!;
    expect(outcome).to.equal('RolledBack');
    expect(answered).to.be.greaterThan(0);
    const second = Date.parse(outage!.endTime!) - Math.floor(downAgain! / 1000) * 1000;
    expect(second).to.be.greaterThan(0);
    expect(outage!.milliseconds).to.be.within(answered! + second - 1000, answered! + second + 1000);
    expect(outage!.milliseconds).to.be.lessThan(Date.parse(outage!.endTime!) - Date.parse(outage!.startTime!));
  });

  for (const [title, direction, failing] of [
    ['succeeded', 'Down', []],
    ['was undone', 'Up', ['Snapshot']],
  ] as const)
    it(`tells the end of the outage and every step of a run that ${title} if it dies after the last goal`, () => {
      const world = new World(direction);
      const fails = new Set<RunnerStepName>(failing);
      let died = false;
      for (let round = 0; round < 60; round++) {
        const seen = world.observe();
        const isLast: boolean = !died && seen !== undefined && decideRun(seen).spec?.goal === 'Finished';
        operatorPass(world, isLast ? 1 : 99);
        died ||= isLast;
        // Between two passes everybody else goes as far as he can: nothing is seen half-way.
        for (let step = 0; step < 30; step++) {
          runnerStep(world, fails);
          world.clusterStep();
        }
        world.now += 200;
      }
      expect(died).to.equal(true);
      expectEnd(world, direction);
      const [last, before] = (world.run?.status?.steps ?? []).toReversed();
      if (direction === 'Down') {
        expect([before?.name, last?.name]).to.deep.equal(['ScaleUp', 'SmokeTest']);
        expect(last?.message).to.match(/^spec\.smokeTests are for the new version/);
      }
    });

  it('leaves a run that a newer version began alone, wherever it stands, and goes on with one of its own', () => {
    const world = new World();
    for (let round = 0; round < 400 && world.run?.status?.outcome === undefined; round++) {
      const seen = world.observe()!;
      seen.run.spec.protocol = RUN_PROTOCOL + 1;
      const { notices, ...writes } = decideRun(seen);
      expect(writes).to.deep.equal({ actions: [] });
      expect(notices.map(({ reason }) => reason)).to.deep.equal(['NewerOperatorNeeded']);
      operatorPass(world);
      runnerStep(world, new Set());
      world.clusterStep();
      world.now += 200;
    }
    expect(world.run?.status?.outcome).to.equal('Succeeded');
  });

  describe('with a workload that starts behind the fence', () => {
    /** Until the pods that boot behind the fence are there. */
    const started = () => {
      const world = new World('Up', undefined, 'BehindFence');
      for (let round = 0; round < 200; round++) {
        for (let pass = 0; pass < 3; pass++) operatorPass(world);
        const down = world.run?.spec.goal === 'Migrated';
        if (down && !world.database.fenced) expect(world.deployment.replicas, 'before the fence').to.equal(0);
        if (down && world.deployment.replicas > 0) return world;
        runnerStep(world, new Set());
        world.clusterStep();
      }
      throw new Error('it was never started');
    };

    it('scales it up with the new image once the fence stands, and not before', () => {
      const world = started();
      expect(world.database).to.include({ fenced: true, schema: 'Old' });
      expect(world.deployment).to.include({ replicas: REPLICAS, image: NEW_IMAGE });
      settleDown(world, new Set());
      expect(world.run?.status?.outcome).to.equal('Succeeded');
    });

    it('calls the step of the runner the current one while pods boot', () => {
      const world = started();
      operatorPass(world);
      expect(world.run?.status?.steps?.find(({ name }) => name === 'ScaleUp')?.state).to.equal('Running');
      expect(world.run?.status?.currentStep).to.be.oneOf(['Fence', 'RestorePoint']);
    });

    it('takes it down again before anything is undone', () => {
      const world = started();
      expect(world.deployment.replicas).to.equal(REPLICAS);
      settleDown(world, new Set<RunnerStepName>(['Migrate']));
      expect(world.run?.status?.outcome).to.equal('Failed');
      const steps = world.run?.status?.steps ?? [];
      expect(steps.find(({ name }) => name === 'RollbackScaleDown')?.state).to.equal('Succeeded');
      expect(steps.find(({ name }) => name === 'ScaleUp')).to.include({
        state: 'Skipped',
        message: 'Ended by the failure of Migrate.',
      });
      expectEnd(world, 'Up');
    });

    it('lets it boot, and does not take its pods for the end of the outage', () => {
      const world = started();
      for (let round = 0; round < 20; round++) {
        world.clusterStep();
        for (const pod of world.pods) pod.ready = true;
        operatorPass(world);
        expect(world.deployment.replicas).to.equal(REPLICAS);
      }
      expect(world.pods.filter(({ terminating }) => !terminating)).to.have.length(REPLICAS);
      expect(world.run?.status?.outage?.endTime).to.equal(undefined);
    });

    for (const [reason, failure] of [
      ['CrashLoopBackOff', undefined],
      ['ImagePullBackOff', 'ScaleUpFailed'],
    ] as const)
      it(`${failure ? 'is undone at once' : 'goes on'} when a pod is in ${reason}`, () => {
        const world = started();
        while (!world.pods.some(({ terminating }) => !terminating)) world.clusterStep();
        const seen = world.observe();
        for (const pod of seen?.workloads[0]?.pods ?? []) pod.problem = { reason, message: 'it ended', restarts: 5 };
        expect(seen && decideRun(seen).status?.failure?.reason).to.equal(failure);
      });
  });

  it('undoes a migration whose smoke test fails, old version last', () => {
    const world = new World();
    world.smokePasses = false;
    settleDown(world, new Set());
    expect(world.run?.status?.failure?.reason).to.equal('SmokeTestFailed');
    expect(world.run?.status?.outcome).to.equal('RolledBack');
    expect(world.deployment).to.include({ replicas: REPLICAS, image: OLD_IMAGE });
  });

  it('undoes a migration whose verification Job does not end in its time, and deletes the Job', () => {
    const world = new World('Up', 'Hangs');
    settleDown(world, new Set());
    expect(world.run?.status?.verificationJobs?.[0]).to.include({
      state: 'Failed',
      message: 'it did not end within 5 s of being let in',
    });
    expect(world.run?.status?.failure?.step).to.equal('Verify');
    expect(world.run?.status?.outcome).to.equal('RolledBack');
    expect(world.verificationJobs).to.deep.equal([]);
  });

  it('looks again when the time of a verification Job is over', () => {
    const world = new World('Up', 'Hangs');
    const isReleased = () => world.run?.status?.runner?.verificationReleased === true;
    for (let round = 0; round < 400 && !isReleased(); round++) {
      operatorPass(world);
      runnerStep(world, new Set());
      world.clusterStep();
    }
    const released = world.observe()!;
    expect(decideRun(released).lookAgainAfter).to.equal(5000);
    world.apply(released, decideRun(released), 99);
    world.now += 4999;
    expect(decideRun(world.observe()!).lookAgainAfter).to.equal(1);
  });

  it('does not call what is finished a failure, however late it is recorded', () => {
    const world = new World();
    settleDown(world, new Set());
    const status = world.run?.status;
    if (!world.run || !status?.steps) throw new Error('the run has no steps');
    world.run.metadata.finalizers = [FINALIZER];
    delete status.outcome;
    status.steps = status.steps.map((step) => (step.name === 'ScaleUp' ? { ...step, state: 'Running' } : step));
    world.now += 100_000_000;
    const seen = world.observe();
    if (!seen) throw new Error('the run is gone');
    const decision = decideRun(seen);
    expect(decision.status?.outcome).to.equal('Succeeded');
    expect(decision.status?.failure).to.equal(undefined);
  });

  it('replaces a runner whose node is lost, whose pod therefore never ends', () => {
    const world = new World();
    for (let round = 0; round < 6; round++) {
      operatorPass(world);
      runnerStep(world, new Set());
    }
    world.loseRunner();
    settleDown(world, new Set());
    expect(world.run?.status?.outcome).to.equal('Succeeded');
    expect(world.run?.spec.runnerEpoch).to.equal(2);
  });

  it('records a failure of any length in one line that the API server takes', () => {
    const draft = new Draft(new World().observe()!);
    draft.fail('Verify', 'CheckFailed', 'wrong\n'.repeat(2000));
    expect(draft.status.failure?.message).to.have.length(8192);
    expect(draft.status.failure?.message).not.to.contain('\n');
  });

  it('names the step of the runner that failed on the way back, not the scaling before it', () => {
    const world = new World();
    world.smokePasses = false;
    for (let round = 0; round < 200 && !world.run?.status?.outcome; round++) {
      operatorPass(world, 1);
      for (let step = 0; step < 6; step++) runnerStep(world, new Set<RunnerStepName>(['Rollback']));
      world.clusterStep();
      world.now += 2000;
    }
    expect(world.run?.status?.conditions?.at(0)?.message).to.contain('Undoing it failed too: Rollback Failed');
  });

  it('keeps the application down and asks for a person when undoing fails', () => {
    const world = new World();
    settleDown(world, new Set<RunnerStepName>(['Verify', 'Rollback']));
    expect(world.run?.status?.outcome).to.equal('NeedsHuman');
    expect(world.deployment.replicas).to.equal(0);
    expect(world.database.fenced).to.equal(true);
  });
});
