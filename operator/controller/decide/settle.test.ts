import { expect } from 'chai';
import { FINALIZER } from '../../api/names.ts';
import { RUNNER_START_LIMIT } from './keep-runner-alive.ts';
import { decideRun } from './run.ts';
import { World } from './simulation/world.ts';

/** A run that has succeeded, and whose runner cannot reach the database any more. */
function cleaningUp(): World {
  const world = new World();
  const { run } = world;
  if (!run) throw new Error('there is no run');
  run.spec.goal = 'Finished';
  run.status = {
    outcome: 'Succeeded',
    completionTime: new Date(world.now).toISOString(),
    runner: {
      epoch: 1,
      reachedGoal: 'Migrated',
      waitingFor: 'cannot reach database "planner"',
      restorePoint: { state: 'Taken', method: 'Template', database: 'phasemigration_restore_1' },
    },
  };
  world.migration.metadata.deletionTimestamp = new Date(world.now).toISOString();
  world.act({ kind: 'CreateRunner', epoch: 1 });
  return world;
}

describe('settle', () => {
  it('lets the runner clean up for as long as it takes while nobody deletes anything', () => {
    const world = cleaningUp();
    delete world.migration.metadata.deletionTimestamp;
    world.now += 100_000_000;
    expect(decideRun(world.observe()!).finalizer).to.equal(undefined);
  });

  it('gives the runner of what is being deleted ten minutes to clean up', () => {
    const world = cleaningUp();
    world.now += 599_999;
    const seen = world.observe()!;
    const decision = decideRun(seen);
    expect(decision.finalizer).to.equal(undefined);
    expect(decision.lookAgainAfter).to.equal(1);
  });

  it('then lets the run go, ends the runner and says what is left', () => {
    const world = cleaningUp();
    world.now += 600_000;
    const decision = decideRun(world.observe()!);
    expect(decision.finalizer).to.equal('Remove');
    expect(decision.actions).to.deep.equal([{ kind: 'DeleteJob', name: 'runner-1' }]);
    expect(decision.notices.map(({ message }) => message)).to.deep.equal([
      'The run has ended, but its runner could not clean up in 10 minutes (cannot reach database "planner"): the restore point phasemigration_restore_1 may still be there.',
    ]);
    expect(world.run?.metadata.finalizers).to.deep.equal([FINALIZER]);
  });

  it('takes another’s finalizer for none of its own', () => {
    const world = cleaningUp();
    world.run!.status!.runner!.reachedGoal = 'Finished';
    expect(decideRun(world.observe()!).finalizer).to.equal('Remove');
    world.run!.metadata.finalizers = ['foregroundDeletion'];
    expect(decideRun(world.observe()!).finalizer).to.equal(undefined);
  });

  it('lets a run go whose last start was deleted before it could clean up', () => {
    const world = cleaningUp();
    world.run!.spec.runnerEpoch = RUNNER_START_LIMIT;
    world.run!.status!.runner!.epoch = RUNNER_START_LIMIT;
    world.jobs = [];
    expect(decideRun(world.observe()!).finalizer).to.equal('Remove');
    world.run!.status!.runner!.epoch -= 1;
    expect(decideRun(world.observe()!).finalizer, 'it has not begun yet').to.equal(undefined);
  });

  it('names the scratch database of a rehearsal that was broken off', () => {
    const world = cleaningUp();
    const { restorePoint: _none, ...runner } = world.run!.status!.runner!;
    world.run!.status!.runner = { ...runner, rehearsal: { state: 'Restoring', database: 'planner_rehearsal_1' } };
    world.now += 600_000;
    expect(decideRun(world.observe()!).notices[0]?.message).to.match(
      /: the scratch database planner_rehearsal_1 may still be there\.$/,
    );
  });
});
