import type { Goal } from '../../api/phase-migration-run.ts';
import { RUNNER_ROLLBACK_STEPS } from '../../api/step-names.ts';
import type { Scenario } from './scenario.ts';

/** What the operator does about a run in a test: moves the goal on as it is reached, and undoes what fails. */
export interface Conduct {
  /** Whether the run is undone after it succeeded; `clients` is what the application does in between. */
  undo?: { clients: () => Promise<void> };
  /** Whether the verification Job of that name says that the data is wrong. */
  failingJob?: string;
}

/** Plays the operator's part until told to stop; rejects when the runner's rollback fails. */
export function conduct(
  { memory }: Pick<Scenario, 'memory'>,
  wishes: Conduct,
): { failed: Promise<never>; stop: () => void } {
  const watching = new AbortController();
  let clientsWrote: Promise<void> | undefined;
  const failed = new Promise<never>((_resolve, reject) => {
    const look = () => {
      const { reachedGoal, steps = [], verificationReleased, epoch } = memory.runner;
      const { goal } = memory.run.spec;
      const move = (next: Goal) => void (memory.run.spec.goal === next || memory.setGoal(next));
      const broken = steps.find(({ state }) => state === 'Failed');
      const stuck = steps.find(
        ({ name, state }) => state === 'Failed' && (RUNNER_ROLLBACK_STEPS as readonly string[]).includes(name),
      );
      if (stuck) return reject(new Error(`${stuck.name}: ${stuck.message}`));
      if (goal === 'Prepared' && reachedGoal === 'Prepared') return move('Migrated');
      if (goal === 'Migrated' && broken) return move('RolledBack');
      if (goal === 'Migrated' && verificationReleased && wishes.failingJob) judge(wishes.failingJob, epoch);
      if (goal === 'RolledBack' && reachedGoal === 'RolledBack') return move('Finished');
      if (goal !== 'Migrated' || reachedGoal !== 'Migrated') return;
      if (!wishes.undo) return move('Finished');
      clientsWrote ??= wishes.undo.clients().then(() => move('RolledBack'), reject);
    };
    const judge = (name: string, epoch: number) => {
      if (memory.run.status?.verificationJobs?.some((job) => job.epoch === epoch)) return;
      memory.setStatus({
        verificationJobs: [{ name, jobName: `job-${epoch}`, epoch, state: 'Failed', message: 'no' }],
      });
    };
    // Never in the middle of a report: the operator hears of it afterwards.
    memory.port(0).watch(() => setImmediate(look), watching.signal);
  });
  failed.catch(() => undefined);
  return { failed, stop: () => watching.abort() };
}
