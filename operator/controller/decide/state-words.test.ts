import { expect } from 'chai';
import type { PhaseMigrationRunStatus } from '../../api/phase-migration-run.ts';
import { World } from './simulation/world.ts';
import { stateWords } from './state-words.ts';

describe('stateWords', () => {
  const { spec } = new World().run!;
  const undoing: PhaseMigrationRunStatus = {
    steps: [{ name: 'ScaleDown', state: 'Succeeded' }],
    failure: { step: 'Migrate', reason: 'MigrationFailed', message: 'column "x" does not exist' },
    runner: { epoch: 1, steps: [{ name: 'Rollback', state: 'Running' }] },
  };

  it('says while undoing what failed, how far it has come, and what it waits for', () => {
    const first = 'column "x" does not exist. It is being undone (step Rollback).';
    expect(stateWords(spec, undoing).message).to.equal(first);
    const waiting = { ...undoing, runner: { ...undoing.runner!, waitingFor: 'cannot reach database "planner"' } };
    expect(stateWords(spec, waiting).message).to.equal(`${first} cannot reach database "planner".`);
    const notStarted = { ...undoing, runnerPodMessage: 'ImagePullBackOff: no such image' };
    expect(stateWords(spec, notStarted).message).to.equal(
      `${first} The runner’s pod has not started: ImagePullBackOff: no such image.`,
    );
  });

  it('says in the outage what the migration waits for', () => {
    const { failure: _failure, ...status } = undoing;
    const message = 'Migrating a → b: step Migrate. waits for a lock held by psql.';
    const runner = {
      epoch: 1,
      steps: [{ name: 'Migrate' as const, state: 'Running' as const }],
      waitingFor: 'waits for a lock held by psql',
    };
    expect(stateWords(spec, { ...status, runner })).to.deep.equal({ phase: 'Migrating', reason: 'Migrating', message });
  });
});
