import { z } from 'zod';
import { planFields, planRules } from './plan.ts';
import { cel, conditions, mapList, text, time } from './schema-parts.ts';
import { resolution } from './resolution.ts';
import { step } from './step.ts';

export const PHASES = [
  'Pending',
  'Preparing',
  'Migrating',
  'RollingBack',
  'Succeeded',
  'Failed',
  'RolledBack',
  'NeedsHuman',
] as const;
export type Phase = (typeof PHASES)[number];

export const phaseMigrationSpec = z
  .object({
    ...planFields,
    state: z
      .enum(['Migrated', 'RolledBack'])
      .default('Migrated')
      .describe(
        'What is wanted now. Set to RolledBack after a success to have it undone, and to Migrated to have it done again.',
      ),
    suspend: z
      .boolean()
      .default(false)
      .describe(
        'Begin nothing new: no run is started and no outage begun. An outage that has begun is brought to its end. While a person must decide, a runner that ends is not replaced.',
      ),
    resolution: resolution.optional(),
  })
  .meta({ description: 'What is wanted.', ...cel(...planRules) });

export const outage = z
  .object({
    startTime: time('When the first workload was told to scale down.').optional(),
    endTime: time('When every workload had a pod that is ready again.').optional(),
    milliseconds: z.int().min(0).optional().describe('For how long it was down in all.'),
    lastStartTime: time('When it was scaled down again, for what it had answered with to be undone.').optional(),
    earlierMilliseconds: z.int().min(0).optional().describe('For how long it had been down before that.'),
  })
  .describe('The outage as the operator measured it; without an end the application is down.');

export const phaseMigrationStatus = z
  .object({
    observedGeneration: z.int().min(-1).optional().describe('The generation of the spec that this status speaks of.'),
    phase: z
      .enum(PHASES)
      .optional()
      .describe('A summary derived from the conditions and the run, for people and columns.'),
    currentStep: text(64, 'The furthest step that has begun; after the end the one that failed, if any.').optional(),
    runName: text(253, 'The latest PhaseMigrationRun.').optional(),
    observedRetry: text(256, 'The value of the retry annotation that the latest run answers.').optional(),
    refusedRetry: text(
      256,
      'A value of the retry annotation that was given while a person had to decide; it is never carried out.',
    ).optional(),
    requestHash: text(
      64,
      'Hash of the request that the latest run answers: the same request is never answered twice.',
    ).optional(),
    revision: text(63, 'The revision that the database was last seen at.').optional(),
    outage: outage.optional(),
    warnings: z
      .array(z.string().max(4096))
      .max(32)
      .optional()
      .describe('What people should know although nothing failed.'),
    steps: z
      .array(step)
      .max(32)
      .optional()
      .meta({ ...mapList('name'), description: 'The steps of the latest run in order.' }),
    conditions: conditions.optional(),
  })
  .describe('What was observed.');

const frozenFields = Object.keys(planFields) as (keyof typeof planFields)[];
const unchanged = frozenFields.map((field) => `self.spec.${field} == oldSelf.spec.${field}`).join(' && ');

/** Says why a change of the plan is refused, and what to do; also the API server's message. */
export const FROZEN_MESSAGE =
  'a run has begun or succeeded: only state, suspend and resolution can be changed now; while it is Preparing nothing was touched: delete the PhaseMigration and apply the corrected one; later wait until the run has ended, and after a success create another PhaseMigration';

/** Rules on the whole object: the API server hands the stored status to them too. */
export const phaseMigrationRules = [
  {
    rule: `!has(oldSelf.status) || !has(oldSelf.status.phase) || !(oldSelf.status.phase in ['Preparing', 'Migrating', 'RollingBack', 'NeedsHuman', 'Succeeded']) || (${unchanged})`,
    message: FROZEN_MESSAGE,
  },
  {
    rule: 'self.metadata.name.size() <= 40',
    message: 'the name must have at most 40 characters: Jobs are named after it',
  },
];

export type PhaseMigrationSpec = z.infer<typeof phaseMigrationSpec>;
export type PhaseMigrationStatus = z.infer<typeof phaseMigrationStatus>;
