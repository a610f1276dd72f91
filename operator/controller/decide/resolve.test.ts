import { expect } from 'chai';
import fc from 'fast-check';
import type { ResolutionAction } from '../../api/resolution.ts';
import type { RunnerStepName } from '../../api/step-names.ts';
import { decideRun } from './run.ts';
import { expectEnd } from './simulation/expect-end.ts';
import { operatorPass, resolve, settleDown } from './simulation/play.ts';
import { World, type StartPolicy } from './simulation/world.ts';

/** A run whose migration and whose way back failed. */
function stuck(failing: RunnerStepName[] = ['Verify', 'VerifyRollback'], startPolicy?: StartPolicy): World {
  const world = new World('Up', undefined, startPolicy);
  settleDown(world, new Set(failing));
  expect(world.run?.status?.outcome).to.equal('NeedsHuman');
  return world;
}

const actions = fc.constantFrom<ResolutionAction>('Retry', 'RollBack', 'Accept');

describe('A decision about a run that needs a person', function () {
  this.timeout(60_000);

  it('brings every such run to its end, whenever the operator dies meanwhile', () => {
    fc.assert(
      fc.property(
        actions,
        fc.constantFrom<RunnerStepName>('RollbackFence', 'Rollback', 'VerifyRollback', 'RollbackUnfence'),
        fc.constantFrom<StartPolicy>('AfterUnfence', 'BehindFence'),
        fc.array(fc.constantFrom(99, 99, 0, 1, 2), { maxLength: 60 }),
        (action, failing, startPolicy, deaths) => {
          const world = stuck(['Verify', failing], startPolicy);
          world.run!.status!.runner!.restorePoint = { state: 'Taken', method: 'Template', database: 'copy' };
          const epoch = world.run!.spec.runnerEpoch;
          resolve(world, action);
          settleDown(world, new Set<RunnerStepName>([failing]), deaths);
          expect(world.run?.status?.outcome).to.be.oneOf(['RolledBack', 'Succeeded']);
          expect(world.run?.spec.runnerEpoch).to.equal(epoch + 1);
          expectEnd(world, 'Up');
        },
      ),
      { numRuns: 200 },
    );
  });

  it('is recorded with what it answers, and carried out once', () => {
    const world = stuck();
    const before = world.run?.status?.conditions?.find(({ type }) => type === 'Stalled')?.message;
    resolve(world, 'Retry');
    world.migration.metadata.managedFields = [{ manager: 'flux', fieldsV1: { 'f:spec': { 'f:resolution': {} } } }];
    settleDown(world, new Set());
    const { resolutions } = world.run!.status!;
    expect(resolutions).to.have.length(1);
    expect(resolutions?.[0]).to.include({ action: 'Retry', state: 'Begun', requestedBy: 'flux', message: before });
    expect(operatorPass(world), 'writes after the end').to.equal(0);
  });

  it('is recorded however long the message is that it answers', () => {
    const world = stuck();
    const stalled = world.run!.status!.conditions!.find(({ type }) => type === 'Stalled')!;
    stalled.message = 'x'.repeat(30_000);
    resolve(world, 'Retry');
    settleDown(world, new Set());
    expect(world.run?.status?.resolutions?.[0]?.message).to.have.length(8192);
    expect(world.run?.status?.outcome).to.equal('RolledBack');
  });

  it('starts the version that the accepted revision was made for', () => {
    const world = stuck();
    resolve(world, 'Accept');
    settleDown(world, new Set());
    const { schema } = world.database;
    expect(world.run?.status?.outcome).to.equal(schema === 'New' ? 'Succeeded' : 'RolledBack');
    expectEnd(world, 'Up');
  });

  it('means the same again when it is Retry after an Accept that failed', () => {
    const world = stuck(['Verify', 'Rollback']);
    world.run!.spec.resolution = { number: 1, action: 'Accept', runnerEpoch: 1 };
    world.run!.status!.resolutions = [{ number: 1, action: 'Accept', state: 'Begun', time: 'now', message: '' }];
    world.run!.status!.runner!.observedResolution = 1;
    resolve(world, 'Retry');
    expect(decideRun(world.observe()!).spec?.resolution).to.deep.include({ number: 2, action: 'Accept' });
  });

  it('keeps the application down until the runner has read it', () => {
    const world = stuck(['Verify', 'Rollback']);
    resolve(world, 'Retry');
    for (let pass = 0; pass < 5; pass++) operatorPass(world);
    expect(world.run?.status?.outcome, 'the failed step of before counts no more').to.equal(undefined);
    expect(world.deployment.replicas).to.equal(0);
  });

  it('waits again for an old version that did not come back, without another start of the runner', () => {
    const world = new World('Down');
    Object.assign(world, { newVersionStarts: false });
    settleDown(world, new Set<RunnerStepName>(['Migrate']));
    world.now += 10_000_000;
    settleDown(world, new Set());
    expect(world.run?.status?.outcome).to.equal('NeedsHuman');
    const epoch = world.run?.spec.runnerEpoch;
    resolve(world, 'Retry');
    settleDown(world, new Set());
    expect(world.run?.status?.outcome).to.equal('Failed');
    expect(world.run?.spec.runnerEpoch).to.equal(epoch);
    expectEnd(world, 'Down');
  });

  for (const [title, change, words] of [
    ['RollBack without a restore point', { action: 'RollBack' }, /there is no restore point/],
    ['RestoreBackup of another archive', { action: 'RestoreBackup', archive: '/other' }, /with archive \/other, but/],
  ] as const)
    it(`is refused by name: ${title}`, () => {
      const world = stuck();
      resolve(world, 'Retry');
      Object.assign(world.migration.spec.resolution!, change);
      settleDown(world, new Set());
      expect(world.run?.status?.outcome).to.equal('NeedsHuman');
      expect(world.run?.status?.resolutions?.[0]).to.include({ number: 1, state: 'Refused' });
      expect(world.run?.status?.resolutions?.[0]?.message).to.match(words);
      const stalled = world.run?.status?.conditions?.find(({ type }) => type === 'Stalled');
      expect(stalled?.message).to.match(/^Resolution 1 was refused: .*"number":2/);
    });

  for (const [title, change] of [
    ['another run', { runName: 'pm-7' }],
    ['an earlier run of the same name', { runUID: 'earlier' }],
    ['a number that was answered', { number: 0 }],
    ['a number that is not the next', { number: 2 }],
  ] as const)
    it(`is left alone when it is of ${title}`, () => {
      const world = stuck();
      resolve(world, 'Retry');
      Object.assign(world.migration.spec.resolution!, change);
      const seen = world.observe()!;
      const { spec, status, actions: acts } = decideRun(seen);
      expect([spec, acts, status?.resolutions]).to.deep.equal([undefined, [], undefined]);
    });
});
