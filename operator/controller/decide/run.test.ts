import { expect } from 'chai';
import fc from 'fast-check';
import { RUNNER_STEPS, type OperatorStepName, type RunnerStepName } from '../../api/step-names.ts';
import type { OperatorStep } from '../../api/step.ts';
import { FINALIZER } from '../../api/names.ts';
import { Draft } from './draft.ts';
import { decideRun } from './run.ts';
import { runnerStep, type Failing } from './simulation/runner.ts';
import { NEW_IMAGE, OLD_IMAGE, REPLICAS, World, type Verification } from './simulation/world.ts';

type Move =
  | { kind: 'Operator'; dieAfter: number }
  | {
      kind:
        | 'Runner'
        | 'Cluster'
        | 'Client'
        | 'KillRunner'
        | 'DeleteRunnerJob'
        | 'LoseRunner'
        | 'ScaleUpByHand'
        | 'DeleteMigration'
        | 'ToggleSuspend';
    }
  | { kind: 'Wait'; milliseconds: number };

const ordinary = (kind: 'Runner' | 'Cluster' | 'Client') => fc.constant<Move>({ kind });
const move: fc.Arbitrary<Move> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ kind: fc.constant('Operator' as const), dieAfter: fc.constantFrom(99, 99, 0, 1, 2) }),
  },
  { weight: 6, arbitrary: ordinary('Runner') },
  { weight: 8, arbitrary: ordinary('Cluster') },
  { weight: 2, arbitrary: ordinary('Client') },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('Wait' as const), milliseconds: fc.integer({ min: 1, max: 5000 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom<Move>(
      { kind: 'KillRunner' },
      { kind: 'LoseRunner' },
      { kind: 'DeleteRunnerJob' },
      { kind: 'ScaleUpByHand' },
    ),
  },
);
const rareMove: fc.Arbitrary<Move> = fc.constantFrom<Move>({ kind: 'DeleteMigration' }, { kind: 'ToggleSuspend' });
const history = fc.record({
  moves: fc.array(fc.oneof({ weight: 30, arbitrary: move }, { weight: 1, arbitrary: rareMove }), { maxLength: 150 }),
  failing: fc.oneof(
    fc.constant<RunnerStepName[]>([]),
    fc.uniqueArray(fc.constantFrom(...RUNNER_STEPS), { maxLength: 2 }),
  ),
  deaths: fc.array(fc.constantFrom(99, 99, 0, 1, 2), { maxLength: 60 }),
  smokePasses: fc.boolean(),
  newVersionStarts: fc.oneof({ weight: 4, arbitrary: fc.constant(true) }, { weight: 1, arbitrary: fc.constant(false) }),
  direction: fc.constantFrom<'Up' | 'Down'>('Up', 'Up', 'Down'),
  verification: fc.constantFrom<Verification | undefined>(undefined, 'Passes', 'Fails', 'Hangs'),
});

function operatorPass(world: World, dieAfter = 99): number {
  const seen = world.observe();
  if (!seen) return 0;
  return world.apply(seen, decideRun(seen), dieAfter);
}

function play(world: World, next: Move, failing: Failing): void {
  switch (next.kind) {
    case 'Operator':
      operatorPass(world, next.dieAfter);
      return;
    case 'Runner':
      return runnerStep(world, failing);
    case 'Cluster':
      return world.clusterStep();
    case 'Client':
      return world.clientStep();
    case 'Wait':
      world.now += next.milliseconds;
      return;
    case 'KillRunner':
      return world.killRunner();
    case 'LoseRunner':
      return world.loseRunner();
    case 'DeleteRunnerJob':
      world.jobs = [];
      return;
    case 'ScaleUpByHand':
      // Only in the outage: at any other time whoever scales is right.
      if (world.run?.spec.goal === 'Migrated' && !world.run.status?.runner?.reachedGoal?.startsWith('M'))
        world.deployment.replicas = 1;
      return;
    case 'DeleteMigration':
      world.migration.metadata.deletionTimestamp = new Date(world.now).toISOString();
      return;
    case 'ToggleSuspend':
      world.migration.spec.suspend = !world.migration.spec.suspend;
      return;
  }
}

/**
 * Everybody gets their turn until nothing changes any more. `deaths`: after how many writes the operator dies, pass by
 * pass; random moves alone seldom get a run as far as its last writes.
 */
function settleDown(world: World, failing: Failing, deaths: number[] = []): void {
  world.migration.spec.suspend = false;
  for (let round = 0; round < 400; round++) {
    const before = world.writes;
    operatorPass(world, deaths[round]);
    runnerStep(world, failing);
    world.clusterStep();
    world.now += 200;
    const quiet = world.writes === before && world.run?.status?.outcome !== undefined;
    if (quiet && round > 100) return;
  }
}

describe('decideRun under random histories', function () {
  // Seconds on a machine at rest; a busy one must not look like a broken promise.
  this.timeout(180_000);

  it('ends every run, with the workloads exactly as the outcome says', () => {
    fc.assert(
      fc.property(history, ({ moves, failing, deaths, smokePasses, newVersionStarts, direction, verification }) => {
        const world = new World(direction, verification);
        Object.assign(world, { smokePasses, newVersionStarts });
        const fails = new Set(failing);
        for (const next of moves) play(world, next, fails);
        settleDown(world, fails, deaths);
        expectEnd(world, direction);
      }),
      { numRuns: 750 },
    );
  });

  it('writes nothing more once a run has ended', () => {
    fc.assert(
      fc.property(history, ({ moves, failing, deaths, smokePasses, direction }) => {
        const world = new World(direction);
        world.smokePasses = smokePasses;
        const fails = new Set(failing);
        for (const next of moves) play(world, next, fails);
        settleDown(world, fails, deaths);
        for (let again = 0; again < 5; again++) {
          world.now += 60_000;
          expect(operatorPass(world), 'writes after the end').to.equal(0);
        }
      }),
      { numRuns: 300 },
    );
  });
});

/** A step that scales down says what came true, and is over when the workloads are brought back. */
function expectOrder(steps: OperatorStep[]): void {
  const find = (wanted: OperatorStepName) => steps.find(({ name }) => name === wanted);
  for (const [down, up] of [
    ['ScaleDown', 'ScaleUp'],
    ['ScaleDown', 'RollbackScaleUp'],
    ['RollbackScaleDown', 'RollbackScaleUp'],
  ] as const) {
    const [end, beginning] = [find(down)?.completionTime, find(up)?.startTime];
    if (end && beginning) expect(Date.parse(end), `end of ${down}`).to.be.at.most(Date.parse(beginning));
  }
  expect(
    steps.filter(({ message }) => !message),
    'steps that say nothing',
  ).to.deep.equal([]);
}

function expectEnd(world: World, direction: 'Up' | 'Down'): void {
  const status = world.run?.status;
  const outcome = status?.outcome;
  expect(outcome, JSON.stringify(status?.conditions)).to.not.equal(undefined);
  const open = [...(status?.steps ?? []), ...(status?.runner?.steps ?? [])].filter(({ state }) => state === 'Running');
  expect(open, 'steps that look as if they went on').to.deep.equal([]);
  expectOrder(status?.steps ?? []);
  const atWork = world.verificationJobs.filter(({ finished, deleting }) => !finished && !deleting);
  expect(atWork, 'verification Jobs that are still at work').to.deep.equal([]);
  const [start, target] = direction === 'Up' ? (['Old', 'New'] as const) : (['New', 'Old'] as const);
  if (outcome === 'NeedsHuman') {
    expect(status?.conditions?.find(({ type }) => type === 'Stalled')?.status).to.equal('True');
    return;
  }
  expect(world.database.schema).to.equal(outcome === 'Succeeded' ? target : start);
  expect(world.database.fenced, 'the fence').to.equal(false);
  expect(world.deployment.replicas).to.equal(REPLICAS);
  expect(world.deployment.image).to.equal(world.database.schema === 'New' ? NEW_IMAGE : OLD_IMAGE);
  expect(world.run?.metadata.finalizers).to.deep.equal([]);
}

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
