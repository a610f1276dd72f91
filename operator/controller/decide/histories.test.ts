import { expect } from 'chai';
import fc from 'fast-check';
import { RUNNER_STEPS, type RunnerStepName } from '../../api/step-names.ts';
import { expectEnd } from './simulation/expect-end.ts';
import { operatorPass, play, settleDown, type Move } from './simulation/play.ts';
import { World, type StartPolicy, type Verification } from './simulation/world.ts';

const ordinary = (kind: 'Runner' | 'Cluster' | 'Client') => fc.constant<Move>({ kind });
const move: fc.Arbitrary<Move> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('Operator' as const),
      dieAfter: fc.constantFrom(99, 99, 0, 1, 2),
      quick: fc.boolean(),
    }),
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
const ENDS_A_RUNNER: Move['kind'][] = ['KillRunner', 'LoseRunner', 'DeleteRunnerJob'];

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
  startPolicy: fc.constantFrom<StartPolicy>('AfterUnfence', 'BehindFence'),
});

describe('decideRun under random histories', function () {
  // Seconds on a machine at rest; a busy one must not look like a broken promise.
  this.timeout(180_000);

  it('ends every run, with the workloads exactly as the outcome says', () => {
    fc.assert(
      fc.property(history, ({ moves, failing, deaths, direction, verification, startPolicy, ...also }) => {
        const world = new World(direction, verification, startPolicy);
        Object.assign(world, { smokePasses: also.smokePasses, newVersionStarts: also.newVersionStarts });
        const fails = new Set(failing);
        for (const next of moves) play(world, next, fails);
        settleDown(world, fails, deaths);
        expectEnd(world, direction);
        const ended = moves.filter(({ kind }) => ENDS_A_RUNNER.includes(kind)).length;
        expect(world.run?.spec.runnerEpoch, 'starts of the runner').to.be.at.most(1 + ended);
      }),
      { numRuns: 750 },
    );
  });

  it('writes nothing more once a run has ended', () => {
    fc.assert(
      fc.property(history, ({ moves, failing, deaths, smokePasses, direction, startPolicy }) => {
        const world = new World(direction, undefined, startPolicy);
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
