import { z } from 'zod';
import { cel, text, time } from './schema-parts.ts';

/**
 * What a person can decide about a run that ended as NeedsHuman. Retry: do the step that failed again. RollBack: put
 * the restore point back although clients may have written since, which loses what they wrote. Accept: the database is
 * right as it is; the version that its revision was made for is started. RestoreBackup: restore the backup, which loses
 * everything that was written since it was taken.
 */
export const RESOLUTION_ACTIONS = ['Retry', 'RollBack', 'Accept', 'RestoreBackup'] as const;
export type ResolutionAction = (typeof RESOLUTION_ACTIONS)[number];

const fields = {
  number: z
    .int32()
    .min(1)
    .max(16)
    .describe(
      '1 for the first decision about this run, 2 for the next one: the same decision is never carried out twice.',
    ),
  action: z
    .enum(RESOLUTION_ACTIONS)
    .describe(
      'Retry: do the step that failed again. RollBack: put the restore point back although clients may have written since; what they wrote is lost. Accept: the database is right as it is, and the version of the application that its revision was made for is started. RestoreBackup: restore the backup; everything written since it was taken is lost.',
    ),
  archive: text(1024, 'RestoreBackup: the archive, as the message of the run names it.').optional(),
};

/** spec.resolution of a PhaseMigration. */
export const resolution = z
  .object({
    runName: text(253, 'The PhaseMigrationRun that ended as NeedsHuman.'),
    runUID: text(
      64,
      'Its metadata.uid: a later run may have the same name, and what was decided is not about that one.',
    ),
    ...fields,
  })
  .meta({
    description: 'What a person has decided about a run that ended as NeedsHuman; else nobody reads it.',
    ...cel({
      rule: "(self.action == 'RestoreBackup') == has(self.archive)",
      message: 'action RestoreBackup needs archive, and no other action takes one',
    }),
  });
export type Resolution = z.infer<typeof resolution>;

/** spec.resolution of a PhaseMigrationRun: the operator's copy, for the runner. */
export const runResolution = z
  .object({
    ...fields,
    runnerEpoch: z.int32().min(1).describe('The first start of the runner that carries it out.'),
  })
  .describe('What a person has decided about this run after it ended as NeedsHuman.');

export type RunResolution = z.infer<typeof runResolution>;

/** status.resolutions of a PhaseMigrationRun: who reads it later learns what was decided, on what, and what came of it. */
export const recordedResolution = z.object({
  ...fields,
  state: z.enum(['Begun', 'Refused']).describe('Begun: it was carried out. Refused: it cannot be; see the message.'),
  time: time('When the operator read it.'),
  requestedBy: text(
    128,
    'The field manager that wrote spec.resolution; the API server’s audit log has the user.',
  ).optional(),
  message: text(8192, 'Begun: the message that it answers. Refused: why.'),
});
