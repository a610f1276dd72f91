import { z } from 'zod';
import { text, time } from './schema-parts.ts';
import { OPERATOR_STEPS, RUNNER_STEPS, STEP_ORDER } from './step-names.ts';

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
