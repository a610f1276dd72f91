import { z } from 'zod';
import { outage, PHASES } from './phase-migration.ts';
import { plan } from './plan.ts';
import { recordedResolution, runResolution } from './resolution.ts';
import { atomicList, cel, conditions, mapList, objectName, revision, text, time } from './schema-parts.ts';
import { STEP_ORDER } from './step-names.ts';
import { operatorStep, runnerStep } from './step.ts';

/**
 * How far the runner may go. The operator only ever moves it on: Prepared → Migrated → Finished, or
 * Prepared|Migrated → RolledBack → Finished.
 */
export const GOALS = ['Prepared', 'Migrated', 'RolledBack', 'Finished'] as const;
export type Goal = (typeof GOALS)[number];

export const phaseMigrationRunSpec = z
  .object({
    phaseMigrationRef: z
      .object({ name: objectName('The PhaseMigration.', 63), uid: text(64, 'Its UID.') })
      .describe('What this is an attempt of.'),
    attempt: z.int32().min(1).describe('Number of the attempt.'),
    protocol: z
      .int32()
      .min(1)
      .default(1)
      .describe(
        'What operator and runner must understand to work on this run; an earlier version than the one that began it leaves it alone, and says so.',
      ),
    direction: z.enum(['Up', 'Down']).describe('Up applies the migrations from → to, Down undoes them to → from.'),
    requestHash: text(64, 'Hash of the plan, the wanted state and the retry request that this run answers.'),
    plan,
    startRevision: revision('The revision that must be in the database when the run begins.'),
    targetRevision: revision('The revision that is there when it has succeeded.'),
    goal: z.enum(GOALS).describe('How far the runner may go; written by the operator while the run goes on.'),
    runnerEpoch: z.int32().min(1).describe('Which start of the runner may work; an older one must end itself.'),
    resolution: runResolution.optional(),
  })
  .meta({
    description: 'A frozen copy of the intent, and what is wanted now.',
    ...cel(
      ...[
        'phaseMigrationRef',
        'attempt',
        'protocol',
        'direction',
        'requestHash',
        'plan',
        'startRevision',
        'targetRevision',
      ].map((field) => ({
        rule: `self.${field} == oldSelf.${field}`,
        message: `${field} is immutable: a run is a frozen copy of what was asked for`,
      })),
      {
        rule: "oldSelf.goal == self.goal || (oldSelf.goal == 'Prepared') || (oldSelf.goal == 'Migrated' && self.goal in ['RolledBack', 'Finished']) || (oldSelf.goal == 'RolledBack' && self.goal == 'Finished')",
        message: 'goal only moves on: Prepared, Migrated, RolledBack, Finished',
      },
      { rule: 'self.runnerEpoch >= oldSelf.runnerEpoch', message: 'runnerEpoch only grows' },
    ),
  });

const runnerStatus = z
  .object({
    epoch: z.int32().min(1).describe('The start of the runner that wrote this.'),
    reportNumber: z
      .int()
      .min(1)
      .optional()
      .describe('Each report replaces the one before it, and no other: one that comes late changes nothing.'),
    podName: text(253, 'Its pod.').optional(),
    podAddress: text(64, 'Its address, where verification Jobs ask whether they may begin.').optional(),
    observedGoal: z.enum(GOALS).optional().describe('The goal it works towards.'),
    reachedGoal: z.enum(GOALS).optional().describe('The goal it has reached.'),
    database: z
      .object({
        name: text(63, 'Name of the database.'),
        systemIdentifier: text(20, 'System identifier of its server (pg_control_system).'),
      })
      .optional()
      .describe('What the run works on; recorded when the runner first connects, and no other is touched afterwards.'),
    observedResolution: z
      .int32()
      .optional()
      .describe('Number of the last decision of a person that it has read: failed steps of before it are gone.'),
    acceptedRevision: text(63, 'The revision that a person accepted as it is.').optional(),
    waitingFor: text(2048, 'What it waits for, in a sentence: the lock’s holder, say.').optional(),
    steps: z
      .array(runnerStep)
      .max(32)
      .optional()
      .meta({ ...mapList('name'), description: 'Its steps.' }),
    revision: text(63, 'The revision that it last saw in the database’s ledger.').optional(),
    alreadyAtTarget: z.boolean().optional().describe('The target revision was there before anything was done.'),
    databaseChanged: z
      .enum(['No', 'Yes', 'Unknown'])
      .optional()
      .describe('Whether anything of the migration is committed and not undone.'),
    clientWrites: z
      .enum(['Impossible', 'Possible'])
      .optional()
      .describe('Whether clients may have written since the migration: Possible from the moment the fence is lifted.'),
    fence: z
      .object({
        state: z.enum(['Raising', 'Raised', 'Lifting', 'Lifted']).describe('Recorded before it is made or lifted.'),
        mode: z.enum(['RolesNoLogin', 'ConnectionLimit']).describe('How new sessions are refused.'),
        roles: z
          .array(z.string().max(63))
          .max(16)
          .optional()
          .meta({ ...atomicList, description: 'Roles that were LOGIN before.' }),
        connectionLimit: z.int32().optional().describe('The database’s CONNECTION LIMIT before.'),
      })
      .optional()
      .describe('The fence, written ahead.'),
    restorePoint: z
      .object({
        state: z.enum(['Taking', 'Taken', 'PuttingBack', 'PutBack', 'Dropped']).describe('Recorded before it is done.'),
        method: z.enum(['Template', 'Dump']).describe('How it was taken.'),
        database: text(63, 'The template clone.').optional(),
        archive: text(1024, 'The archive’s path on the backup volume.').optional(),
        sha256: text(64, 'SHA-256 of the archive.').optional(),
      })
      .optional()
      .describe('The restore point, written ahead.'),
    backup: z
      .object({
        archive: text(1024, 'Path on the backup volume.'),
        sha256: text(
          64,
          'SHA-256 of the archive; of a Directory the SHA-256 of the list of its files’ ones, which is the file ARCHIVE.sha256.',
        ),
        sizeBytes: z.int().min(0).describe('Size of the archive.'),
        snapshotTime: time('The moment whose content is in it: what was written later is not.').optional(),
        copy: text(2048, 'Where its copy is in object storage: s3://BUCKET/KEY.').optional(),
        completionTime: time('When it was finished and read back.'),
      })
      .optional()
      .describe('The backup taken before the outage.'),
    removedBackups: z
      .array(z.string().max(255))
      .max(100)
      .optional()
      .meta({ ...atomicList, description: 'Folders of older backups that backup.retention had the run remove.' }),
    rehearsal: z
      .object({
        state: z.enum(['Restoring', 'Dropped']).describe('Recorded before it is made.'),
        database: text(63, 'The scratch database.'),
      })
      .optional()
      .describe('The scratch database that the backup is restored into, written ahead.'),
    snapshots: z
      .record(z.string().max(100), z.string().max(16_384))
      .optional()
      .describe('The figures recorded behind the fence, as JSON rows, by name.'),
    migrations: z
      .array(
        z.object({
          revision: text(63, 'The revision.'),
          state: z.enum(['Applied', 'Reverted', 'Failed']).describe('What became of it.'),
          milliseconds: z.int().min(0).optional().describe('How long it took.'),
          checksum: text(64, 'SHA-256 of its files.').optional(),
        }),
      )
      .max(500)
      .optional()
      .meta({ ...mapList('revision'), description: 'The migrations of this run; the last 500 where there are more.' }),
    verificationReleased: z.boolean().optional().describe('The verification Jobs may begin.'),
    warnings: z
      .array(z.string().max(4096))
      .max(32)
      .optional()
      .describe('Warnings of the migrations and of the runner.'),
  })
  .describe('What the runner observed; written by the runner only.');

export const phaseMigrationRunStatus = z
  .object({
    observedGeneration: z.int().min(-1).optional().describe('The generation of the spec that this status speaks of.'),
    phase: z.enum(PHASES).optional().describe('A summary, for people and columns.'),
    currentStep: z
      .enum(STEP_ORDER)
      .optional()
      .describe('The furthest step that has begun; after the end the one that failed, if any.'),
    workloads: z
      .array(
        z.object({
          kind: z.enum(['Deployment', 'StatefulSet']).describe('Kind of the workload.'),
          name: text(63, 'Name of the workload.'),
          uid: text(64, 'Its UID when it was recorded.'),
          replicas: z.int32().min(0).describe('Replicas before the outage; put back after it.'),
          selector: text(2048, 'Label selector of its pods.'),
          images: z
            .record(z.string().max(63), z.string().max(1000))
            .describe('Images before the outage, by container.'),
        }),
      )
      .max(16)
      .optional()
      .meta({
        ...mapList('kind', 'name'),
        description: 'The workloads as they were, recorded before they are touched.',
      }),
    steps: z
      .array(operatorStep)
      .max(16)
      .optional()
      .meta({ ...mapList('name'), description: 'The operator’s steps.' }),
    workloadsStopped: z
      .boolean()
      .optional()
      .describe(
        'Every pod of the version that the database will not be for has ended, and not only been told to: the fence is not lifted before.',
      ),
    runner: runnerStatus.optional(),
    waitingFor: text(
      2048,
      'What keeps a prepared run from its outage, or the fence from being lifted, in a sentence.',
    ).optional(),
    runnerPodMessage: text(4096, 'The kubelet’s own reason why the runner’s pod has not started.').optional(),
    verificationJobs: z
      .array(
        z.object({
          name: text(64, 'Name of the verification.'),
          jobName: text(63, 'The Job.'),
          epoch: z.int32().describe('The start of the runner that it belongs to.'),
          state: z.enum(['Waiting', 'Running', 'Succeeded', 'Failed']).describe('How far it has come.'),
          message: text(4096, 'Its last lines, or why it has not started.').optional(),
          releaseTime: time('When it was seen to be let in; its timeoutSeconds count from here.').optional(),
        }),
      )
      .max(8)
      .optional()
      .meta({ ...mapList('name'), description: 'The verification Jobs.' }),
    failure: z
      .object({
        step: z.enum(STEP_ORDER).describe('The step that failed.'),
        reason: text(128, 'One CamelCase word, from the documented list.'),
        message: text(8192, 'What happened, on which object, what to do next.'),
      })
      .optional()
      .describe('The first failure: why the run is undone. Recorded before anything is undone.'),
    outcome: z
      .enum(['Succeeded', 'Failed', 'RolledBack', 'NeedsHuman'])
      .optional()
      .describe(
        'How the run ended. Failed: nothing was changed. RolledBack: everything was undone. NeedsHuman: see the message.',
      ),
    resolutions: z
      .array(recordedResolution)
      .max(16)
      .optional()
      .meta({ ...mapList('number'), description: 'What people decided about this run, and when.' }),
    outage: outage.optional(),
    completionTime: time('When it ended.').optional(),
    conditions: conditions.optional(),
  })
  .describe('What was observed.');

export type PhaseMigrationRunSpec = z.infer<typeof phaseMigrationRunSpec>;
export type PhaseMigrationRunStatus = z.infer<typeof phaseMigrationRunStatus>;
export type RunnerStatus = z.infer<typeof runnerStatus>;
export type RecordedWorkload = NonNullable<PhaseMigrationRunStatus['workloads']>[number];
export type VerificationJobStatus = NonNullable<PhaseMigrationRunStatus['verificationJobs']>[number];
export type Outcome = NonNullable<PhaseMigrationRunStatus['outcome']>;
