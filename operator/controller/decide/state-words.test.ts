import { expect } from 'chai';
import type { PhaseMigrationRunStatus } from '../../api/phase-migration-run.ts';
import { World } from './simulation/world.ts';
import { stateWords } from './state-words.ts';

describe('stateWords', () => {
  const { metadata, spec } = new World().run!;
  const run = { metadata, spec: { ...spec, goal: 'RolledBack' as const } };
  const undoing: PhaseMigrationRunStatus = {
    steps: [{ name: 'ScaleDown', state: 'Succeeded' }],
    failure: { step: 'Migrate', reason: 'MigrationFailed', message: 'column "x" does not exist' },
    runner: { epoch: 1, steps: [{ name: 'Rollback', state: 'Running' }] },
  };

  it('says while undoing what failed, how far it has come, and what it waits for', () => {
    const first = 'column "x" does not exist. It is being undone (step Rollback).';
    expect(stateWords(run, undoing).message).to.equal(first);
    const waiting = { ...undoing, runner: { ...undoing.runner!, waitingFor: 'cannot reach database "planner"' } };
    expect(stateWords(run, waiting).message).to.equal(`${first} cannot reach database "planner".`);
    const notStarted = { ...undoing, runnerPodMessage: 'ImagePullBackOff: no such image' };
    expect(stateWords(run, notStarted).message).to.equal(
      `${first} The runner’s pod has not started: ImagePullBackOff: no such image.`,
    );
  });

  it('says while a decision is carried out what was decided', () => {
    for (const [action, words] of [
      ['Accept', 'The database is being accepted as it is'],
      ['Retry', 'It is being undone'],
      ['RollBack', 'It is being undone'],
      ['RestoreBackup', 'It is being undone'],
    ] as const) {
      const spec = { ...run.spec, resolution: { number: 1, action, runnerEpoch: 2 } };
      const steps = [{ name: 'RollbackUnfence' as const, state: 'Running' as const }];
      const status = { ...undoing, runner: { epoch: 2, steps } };
      expect(stateWords({ ...run, spec }, status).message).to.equal(
        `column "x" does not exist. ${words} (step RollbackUnfence).`,
      );
    }
  });

  it('gives the commands that bring the application back when undoing failed, with every name in them', () => {
    const status: PhaseMigrationRunStatus = {
      ...undoing,
      outcome: 'NeedsHuman',
      workloads: [
        { kind: 'Deployment', name: 'backend', uid: 'd', replicas: 3, selector: 'x', images: { backend: 'backend:1' } },
      ],
      runner: {
        epoch: 1,
        database: { name: 'planner', systemIdentifier: '1' },
        fence: { state: 'Raised', mode: 'ConnectionLimit', connectionLimit: 37 },
        restorePoint: { state: 'Taken', method: 'Template', database: 'planner_restore_1' },
        steps: [{ name: 'Rollback', state: 'Failed', message: 'no disk left' }],
      },
    };
    const { message } = stateWords(run, status);
    expect(message).to.contain('Undoing it failed too: no disk left.');
    expect(message).to.contain('the restore point is database planner_restore_1');
    expect(message).to.match(
      /: ALTER DATABASE "planner" CONNECTION LIMIT 37; kubectl -n ns set image deployment\/backend backend=backend:1; kubectl -n ns scale deployment\/backend --replicas=3\.$/,
    );
    expect(message).to.contain('It is not known whether anything of the migration is in the database.');
    const patch = (action: string) =>
      `{"spec":{"resolution":{"runName":"pm-1","runUID":"r","number":1,"action":"${action}"}}}`;
    for (const action of ['Retry', 'Accept', 'RollBack'])
      expect(message).to.contain(`kubectl -n ns patch pm pm --type=merge -p '${patch(action)}'`);
    expect(message).not.to.contain('RestoreBackup');
    const restorePoint = { ...status.runner!.restorePoint!, state: 'PuttingBack' as const };
    expect(stateWords(run, { ...status, runner: { ...status.runner!, restorePoint } }).message).to.contain(
      "it is database planner_restore_1, or has the database's own name already",
    );
  });

  it('offers the next decision when one was carried out before, and the backup where there is one', () => {
    const status: PhaseMigrationRunStatus = {
      ...undoing,
      outcome: 'NeedsHuman',
      resolutions: [{ number: 1, action: 'Retry', state: 'Begun', time: 'now', message: '' }],
      runner: {
        epoch: 2,
        databaseChanged: 'Yes',
        clientWrites: 'Possible',
        backup: { archive: '/backup/a.dump', sha256: 'f', sizeBytes: 1, completionTime: '2026-01-01T00:00:00Z' },
        steps: [{ name: 'Rollback', state: 'Failed', message: 'no disk left' }],
      },
    };
    const { message } = stateWords(run, status);
    expect(message).to.contain('a restore loses that').and.contain('written since 2026-01-01T00:00:00Z');
    expect(message).to.contain('"number":2,"action":"RestoreBackup","archive":"/backup/a.dump"');
    expect(message).not.to.contain('"RollBack"');
  });

  it('says how to ask for it again where everything was undone, but not of what was deleted', () => {
    const end = { ...undoing, outcome: 'RolledBack' as const };
    expect(stateWords(run, end).message).to.match(
      /kubectl -n ns annotate pm pm phasemigration\.io\/retry-requested-at="\$\(date -Is\)" --overwrite\)\.$/,
    );
    const deleted = { ...end, failure: { ...undoing.failure!, reason: 'Deleted' } };
    expect(stateWords(run, deleted).message).not.to.contain('kubectl');
  });

  it('says in the outage what the migration waits for', () => {
    const { failure: _failure, ...status } = undoing;
    const message = 'Migrating a → b: step Migrate. waits for a lock held by psql.';
    const runner = {
      epoch: 1,
      steps: [{ name: 'Migrate' as const, state: 'Running' as const }],
      waitingFor: 'waits for a lock held by psql',
    };
    expect(stateWords(run, { ...status, runner })).to.deep.equal({ phase: 'Migrating', reason: 'Migrating', message });
  });
});
