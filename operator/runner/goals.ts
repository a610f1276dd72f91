import type { Goal, RunnerStatus } from '../api/phase-migration-run.ts';
import type { PhaseMigrationRun } from '../api/resources.ts';
import { RUNNER_FORWARD_STEPS, RUNNER_ROLLBACK_STEPS } from '../api/step-names.ts';

/** Goals only move on. */
export const GOAL_ORDER: Record<Goal, number> = { Prepared: 0, Migrated: 1, RolledBack: 2, Finished: 3 };

/** A step has failed on the way to this goal: only another goal can go on from there. */
export function isBlocked(status: RunnerStatus, goal: Goal): boolean {
  const steps: readonly string[] =
    goal === 'RolledBack' ? RUNNER_ROLLBACK_STEPS : goal === 'Finished' ? [] : RUNNER_FORWARD_STEPS;
  return (status.steps ?? []).some(({ name, state }) => state === 'Failed' && steps.includes(name));
}

/** The way back has failed, or the operator says that a person must decide. */
export function isForPeople({ status, spec }: PhaseMigrationRun, runner: RunnerStatus): boolean {
  return status?.outcome === 'NeedsHuman' || (spec.goal === 'RolledBack' && isBlocked(runner, spec.goal));
}

/** There is nothing to do until the operator or a person has said more. */
export function isWaiting(run: PhaseMigrationRun, runner: RunnerStatus): boolean {
  const { goal } = run.spec;
  return runner.reachedGoal === goal || isBlocked(runner, goal) || isForPeople(run, runner);
}
