import { STEP_ORDER } from '../../operator/api/step-names.ts';
import type { Step } from '../../operator/api/step.ts';
import type { Run } from './objects.ts';

/** The operator's and the runner's steps of a run, in the order in which people read them. */
export function allSteps({ status }: Run): Step[] {
  const steps: Step[] = [...(status?.steps ?? []), ...(status?.runner?.steps ?? [])];
  return steps.sort((one, other) => STEP_ORDER.indexOf(one.name) - STEP_ORDER.indexOf(other.name));
}
