import type { PhaseMigrationRunStatus } from '../../api/phase-migration-run.ts';
import { STEP_ORDER } from '../../api/step-names.ts';
import type { Step } from '../../api/step.ts';

/** All steps of a run, the operator's and the runner's, in the order in which people read them. */
export function allSteps(status: PhaseMigrationRunStatus | undefined): Step[] {
  const steps: Step[] = [...(status?.steps ?? []), ...(status?.runner?.steps ?? [])];
  return steps.sort((one, other) => STEP_ORDER.indexOf(one.name) - STEP_ORDER.indexOf(other.name));
}
