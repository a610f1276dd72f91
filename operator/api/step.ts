import { z } from 'zod';
import { text, time } from './schema-parts.ts';

/**
 * The stages of a run in the order in which they can happen. The operator carries out the scaling steps and the smoke
 * tests, the runner all others. Steps named Rollback… belong to the way back.
 */
export const OPERATOR_STEPS = ['ScaleDown', 'ScaleUp', 'SmokeTest', 'RollbackScaleDown', 'RollbackScaleUp'] as const;
export const RUNNER_STEPS = [
  'Preflight',
  'Backup',
  'Fence',
  'RestorePoint',
  'Snapshot',
  'Migrate',
  'Verify',
  'Unfence',
  'RollbackFence',
  'Rollback',
  'VerifyRollback',
  'RollbackUnfence',
] as const;
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

const stepFields = {
  state: z.enum(['Running', 'Succeeded', 'Failed', 'Skipped']).describe('How far the step has come.'),
  reason: text(128, 'One CamelCase word, from the documented list.').optional(),
  message: text(8192, 'A sentence for people.').optional(),
  startTime: time('When it began.').optional(),
  completionTime: time('When it ended.').optional(),
  evidence: z
    .record(z.string().max(128), z.string().max(4096))
    .optional()
    .describe('What was seen: counts, checksums, sizes, timings, offending rows.'),
};

export const operatorStep = z.object({ name: z.enum(OPERATOR_STEPS).describe('Name of the step.'), ...stepFields });
export const runnerStep = z.object({ name: z.enum(RUNNER_STEPS).describe('Name of the step.'), ...stepFields });
export const step = z.object({ name: z.enum(STEP_ORDER).describe('Name of the step.'), ...stepFields });
export type Step = z.infer<typeof step>;
export type OperatorStep = z.infer<typeof operatorStep>;
export type RunnerStep = z.infer<typeof runnerStep>;
