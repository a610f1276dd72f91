import { expect } from 'chai';
import { RUNNER_FIELD_MANAGER } from '../../api/names.ts';
import { decideRun } from './run.ts';
import { operatorPass } from './simulation/play.ts';
import { World } from './simulation/world.ts';

describe('keepRunnerAlive', () => {
  /** The runner's Job and its pod are there. */
  function started(): World {
    const world = new World();
    for (let pass = 0; pass < 5; pass++) operatorPass(world);
    if (!world.jobs[0]?.pod) throw new Error('there is no runner');
    return world;
  }

  it('makes what a runner needs to report again after each minute of silence, and looks again by itself', () => {
    const world = started();
    const begun = world.now;
    world.now = begun + 59_000;
    expect(decideRun(world.observe()!).actions).to.deep.equal([]);
    expect(decideRun(world.observe()!).lookAgainAfter).to.be.at.most(1000);
    world.now = begun + 61_000;
    expect(decideRun(world.observe()!).actions).to.deep.equal([{ kind: 'RestoreRunnerAccess' }]);
    const time = new Date(begun + 30_000).toISOString();
    world.run!.metadata.managedFields = [{ manager: RUNNER_FIELD_MANAGER, time }];
    expect(decideRun(world.observe()!).actions, 'it has reported since').to.deep.equal([]);
  });

  it('leaves one alone that has nothing to say: what it was told to do is done, or a person must decide', () => {
    for (const status of [{ runner: { epoch: 1, reachedGoal: 'Prepared' } }, { outcome: 'NeedsHuman' }] as const) {
      const world = started();
      world.migration.spec.suspend = true;
      world.now += 600_000;
      const seen = world.observe()!;
      seen.run.status = { ...seen.run.status, ...status };
      const kinds = decideRun(seen).actions.map(({ kind }) => kind);
      expect(kinds).not.to.include('RestoreRunnerAccess');
    }
  });

  it('replaces one that dies while a person must decide about the database: it holds the lock', () => {
    for (const [goal, suspend, epoch] of [
      ['RolledBack', false, 2],
      ['RolledBack', true, undefined],
      ['Finished', false, undefined],
    ] as const) {
      const world = started();
      world.migration.spec.suspend = suspend;
      world.run!.spec.goal = goal;
      world.run!.status = { ...world.run!.status, outcome: 'NeedsHuman', runner: { epoch: 1 } };
      Object.assign(world.jobs[0]!, { finished: 'Failed', finishedAt: world.now });
      expect(decideRun(world.observe()!).spec?.runnerEpoch).to.equal(epoch);
    }
  });

  it('does not use up its starts on Jobs that somebody goes on deleting', () => {
    const world = started();
    world.run!.spec.runnerEpoch = 4;
    world.jobs = [{ name: 'runner-4', epoch: 4, deleting: true, createdAt: world.now }];
    const { spec, lookAgainAfter } = decideRun(world.observe()!);
    expect(spec?.runnerEpoch).to.equal(undefined);
    expect(lookAgainAfter).to.be.within(3000, 5000);
    world.now += 5000;
    expect(decideRun(world.observe()!).spec?.runnerEpoch).to.equal(5);
  });

  it('says of a Job that gets no pod where the reason stands', () => {
    const world = started();
    const [job] = world.jobs;
    delete job!.pod;
    expect(decideRun(world.observe()!).status?.runnerPodMessage).to.equal(undefined);
    expect(decideRun(world.observe()!).lookAgainAfter).to.be.at.most(5000);
    world.now += 5000;
    const { status } = decideRun(world.observe()!);
    const advice = 'Job runner-1 has no pod: kubectl -n ns describe job runner-1 says why (a quota, a policy)';
    expect(status?.runnerPodMessage).to.equal(advice);
    expect(status?.conditions?.find(({ type }) => type === 'Ready')?.message).to.contain(advice);
  });

  for (const [title, words, advice] of [
    [
      'is missing',
      'persistentvolumeclaim "backups" not found',
      /^PersistentVolumeClaim backups does not exist: create it/,
    ],
    [
      'is being deleted, which the pods of older starts hold up',
      'persistentvolumeclaim "backups" is being deleted. not found.',
      / -n ns delete pods -l phasemigration\.io\/component=runner --field-selector=status\.phase!=.* create the claim again/,
    ],
    ['is another', 'persistentvolumeclaim "other" not found', /^$/],
  ] as const)
    it(`says what to do about a volume claim that ${title}`, () => {
      const world = started();
      const problem = { reason: 'Unschedulable', message: `0/1 nodes are available: ${words}`, restarts: 0 };
      Object.assign(world.jobs[0]!.pod!, { problem, running: false, started: false });
      const { status } = decideRun(world.observe()!);
      const before = `Unschedulable: 0/1 nodes are available: ${words}`;
      expect(status?.runnerPodMessage).to.satisfy((text: string) => text.startsWith(before));
      expect(status!.runnerPodMessage!.slice(before.length).replace(/^\.? /, '')).to.match(advice);
      const ready = status?.conditions?.find(({ type }) => type === 'Ready');
      expect(ready?.message).to.contain(status!.runnerPodMessage!);
    });

  it('says it however long the scheduler’s words and the names are', () => {
    const world = started();
    world.run!.metadata.namespace = 'n'.repeat(63);
    world.run!.spec.plan.backup.claimName = 'c'.repeat(253);
    const message = `persistentvolumeclaim "${'c'.repeat(253)}" is being deleted.${' no node'.repeat(1000)}`;
    Object.assign(world.jobs[0]!.pod!, { problem: { reason: 'Unschedulable', message, restarts: 0 }, running: false });
    const { status } = decideRun(world.observe()!);
    expect(status?.runnerPodMessage).to.match(/create the claim again/);
    expect(status?.runnerPodMessage?.length).to.be.at.most(4096);
  });
});
