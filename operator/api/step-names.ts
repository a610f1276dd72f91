/**
 * The stages of a run in the order in which they can happen. The operator carries out the scaling steps and the smoke
 * tests, the runner all others. Steps named Rollback… belong to the way back.
 */
export const OPERATOR_STEPS = ['ScaleDown', 'ScaleUp', 'SmokeTest', 'RollbackScaleDown', 'RollbackScaleUp'] as const;
export const RUNNER_FORWARD_STEPS = [
  'Preflight',
  'Backup',
  'Fence',
  'RestorePoint',
  'Snapshot',
  'Migrate',
  'Verify',
  'Unfence',
] as const;
export const RUNNER_ROLLBACK_STEPS = ['RollbackFence', 'Rollback', 'VerifyRollback', 'RollbackUnfence'] as const;
export const RUNNER_STEPS = [...RUNNER_FORWARD_STEPS, ...RUNNER_ROLLBACK_STEPS] as const;
/** All steps in the order in which people read them. */
export const STEP_ORDER = [
  'Preflight',
  'Backup',
  'ScaleDown',
  'Fence',
  'RestorePoint',
  'Snapshot',
  'Migrate',
  'Verify',
  'Unfence',
  'ScaleUp',
  'SmokeTest',
  'RollbackScaleDown',
  'RollbackFence',
  'Rollback',
  'VerifyRollback',
  'RollbackUnfence',
  'RollbackScaleUp',
] as const;
export type StepName = (typeof STEP_ORDER)[number];
export type OperatorStepName = (typeof OPERATOR_STEPS)[number];
export type RunnerStepName = (typeof RUNNER_STEPS)[number];
