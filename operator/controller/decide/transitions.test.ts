import { expect } from 'chai';
import type { PhaseMigrationStatus } from '../../api/phase-migration.ts';
import { transitions } from './transitions.ts';

function status(
  phase: PhaseMigrationStatus['phase'],
  reason: string,
  rest: Partial<PhaseMigrationStatus> = {},
): PhaseMigrationStatus {
  const ready = { type: 'Ready', status: 'False' as const, reason, message: `${reason}.`, lastTransitionTime: '' };
  return { phase, runName: 'run-1', conditions: [ready], ...rest };
}

describe('transitions', () => {
  it('tells a new state once', () => {
    const [event, ...others] = transitions(undefined, status('Preparing', 'Preparing'));
    expect(others).to.deep.equal([]);
    expect(event).to.include({ type: 'Normal', reason: 'Preparing', note: 'Preparing.' });
    expect(transitions(status('Preparing', 'Preparing'), status('Preparing', 'Preparing'))).to.deep.equal([]);
  });

  it('tells each end of a step, failures as warnings', () => {
    const before = status('Migrating', 'Migrating', { steps: [{ name: 'Migrate', state: 'Running' }] });
    const after = status('Migrating', 'Migrating', {
      steps: [
        { name: 'Migrate', state: 'Succeeded', message: 'Applied 1.' },
        { name: 'Verify', state: 'Failed', message: 'Check x failed.' },
      ],
    });
    expect(transitions(before, after).map(({ type, reason, note }) => [type, reason, note])).to.deep.equal([
      ['Normal', 'MigrateSucceeded', 'Applied 1.'],
      ['Warning', 'VerifyFailed', 'Check x failed.'],
    ]);
  });

  it('tells warnings of the migration, each once a run', () => {
    const warning = '420 assignments were outside phase date ranges and assigned to first phase';
    const after = status('Migrating', 'Migrating', { warnings: [warning] });
    expect(transitions(status('Migrating', 'Migrating'), after).map(({ note }) => note)).to.deep.equal([warning]);
    expect(transitions(after, after)).to.deep.equal([]);
    const next = { ...after, runName: 'run-2' };
    expect(transitions(after, next).map(({ reason }) => reason)).to.contain('MigrationWarning');
  });

  it('tells every new sentence of the kubelet', () => {
    const before = status('Preparing', 'RunnerNotStarted');
    const after = status('Preparing', 'RunnerNotStarted');
    (after.conditions?.[0] as { message: string }).message = 'another reason';
    expect(transitions(before, after)).to.have.length(1);
  });
});
