import { z } from 'zod';
import { backup } from './backup.ts';
import { atomicList, cel, int32, mapList, objectName, revision, setList, sql, text } from './schema-parts.ts';

/** Everything of a PhaseMigration that a run freezes: what is migrated, what is checked, how it is undone. */

export const check = z
  .object({
    name: text(100, 'What is asked, in a few words; shown in status.').min(1),
    query: sql('One SQL query, run by the schema owner with search_path pg_catalog, public, pg_temp.'),
    expect: z
      .object({
        value: text(1024, 'The first column of the only row, as text.').optional(),
        rows: int32(0, 2_147_483_647, 'The number of rows.').optional(),
        min: z
          .string()
          .regex(/^-?[0-9]+(\.[0-9]+)?$/)
          .max(40)
          .optional()
          .describe('The least value, as a decimal.'),
        error: z
          .string()
          .regex(/^[0-9A-Z]{5}$/)
          .optional()
          .describe('The SQLSTATE that the query must fail with.'),
      })
      .default({ value: '0' })
      .meta({
        description: 'What the query must answer: exactly one of value, rows, min, error. Default: the value "0".',
        ...cel({
          rule: '[has(self.value), has(self.rows), has(self.min), has(self.error)].filter(x, x).size() == 1',
          message: 'expect must have exactly one of value, rows, min and error',
        }),
      }),
    message: text(1024, 'What to tell people when the check fails, and what to do about it.').optional(),
  })
  .describe('A question in SQL with its expected answer.');
export type Check = z.infer<typeof check>;

const checks = (description: string) =>
  z
    .array(check)
    .max(100)
    .default([])
    .meta({ ...mapList('name'), description });

export const snapshot = z
  .object({
    name: text(100, 'Name of the figure; shown in status.').min(1),
    query: sql('The query whose rows are recorded before the migration.'),
    queryAfter: sql(
      'The query for the same figure on the migrated schema, if it must be asked differently.',
    ).optional(),
  })
  .describe('A named figure recorded before the migration and compared after it.');
export type Snapshot = z.infer<typeof snapshot>;

export const verificationJob = z
  .object({
    name: objectName('Name of the verification; part of the Job’s name.', 30),
    image: z.string().min(1).max(1000).describe('The image to run; pin it by digest.'),
    command: z
      .array(z.string().max(1024))
      .max(64)
      .optional()
      .meta({ ...atomicList, description: 'The entrypoint; the image’s own if absent.' }),
    args: z
      .array(z.string().max(1024))
      .max(64)
      .optional()
      .meta({ ...atomicList, description: 'Arguments of the entrypoint.' }),
    timeoutSeconds: int32(1, 3600, 'How long it may take from when it is let in, in seconds.').default(300),
  })
  .describe('A program of the user’s own that gets DATABASE_URL and says by its exit code whether the data is right.');
export type VerificationJob = z.infer<typeof verificationJob>;

export const smokeTest = z
  .object({
    name: text(100, 'Name of the smoke test; shown in status.').min(1),
    http: z
      .object({
        service: objectName('A Service in the same namespace.', 63),
        port: int32(1, 65_535, 'The Service’s port.'),
        path: z
          .string()
          .regex(/^\/[^\s]*$/)
          .max(1024)
          .default('/')
          .describe('Path and query of the GET request.'),
        expectedStatus: int32(100, 599, 'The HTTP status that means success.').default(200),
        expectedBody: text(1024, 'Text that the answer’s body must contain.').optional(),
      })
      .describe('A GET request that the operator sends after the application is back.'),
    timeoutSeconds: int32(1, 600, 'How long the expected answer may take to come, in seconds.').default(30),
  })
  .describe('A question to the application after it is back.');
export type SmokeTest = z.infer<typeof smokeTest>;

const imageOf = (description: string) =>
  z.record(z.string().max(63), z.string().min(1).max(1000)).optional().meta({ description, maxProperties: 32 });

export const workload = z
  .object({
    kind: z.enum(['Deployment', 'StatefulSet']).describe('Kind of the workload.'),
    name: objectName('Name of the workload, in the same namespace.', 63),
    images: imageOf('New image by container name, set while the workload is scaled down and put back on rollback.'),
    previousImages: imageOf(
      'Old image by container name, for `state: RolledBack` where no run of this PhaseMigration recorded them: it found the database migrated already, or the run was deleted. What a run recorded counts more.',
    ),
    startPolicy: z
      .enum(['AfterUnfence', 'BehindFence'])
      .default('AfterUnfence')
      .describe(
        'When the pods of the new version are started. AfterUnfence: when the database is migrated and the fence lifted. BehindFence: as soon as the fence stands, so that they boot while the database is migrated and the outage is shorter by about that time; only for an application that waits, alive and not ready, while the database refuses its role, and asks again at least once a second.',
      ),
  })
  .meta({
    description: 'An application that uses the database: scaled to zero for the outage and back to what it was.',
    ...cel({
      rule: '!has(self.previousImages) || (has(self.images) && self.previousImages.all(container, container in self.images))',
      message: 'previousImages may name only containers that images names',
      fieldPath: '.previousImages',
    }),
  });
export type Workload = z.infer<typeof workload>;

const database = z
  .object({
    urlSecretRef: z
      .object({
        name: objectName('Name of a Secret in the same namespace.'),
        key: z
          .string()
          .min(1)
          .max(253)
          .regex(/^[-._a-zA-Z0-9]+$/)
          .default('DATABASE_URL')
          .describe('Key in the Secret.'),
      })
      .describe(
        'The postgres:// URL of the database: a direct connection (no transaction pooler) as the schema’s owner.',
      ),
    clientRoles: z
      .array(z.string().min(1).max(63))
      .max(16)
      .default([])
      .meta({
        ...setList,
        description:
          'Roles that the application logs in with; ALTER ROLE … NOLOGIN fences them off. Empty: the application shares the owner’s role, and ALTER DATABASE … CONNECTION LIMIT 0 is the fence.',
      }),
    maintenanceDatabase: z
      .string()
      .min(1)
      .max(63)
      .default('postgres')
      .describe('Another database of the same server, from which the lock is held and the restore point is swapped.'),
  })
  .describe('The database that is migrated.');

const migrations = z
  .object({
    image: z
      .string()
      .min(1)
      .max(1000)
      .optional()
      .describe('An image with the migration files and a `cp` program; pin it by digest.'),
    path: z
      .string()
      .regex(/^\/[^\s]*$/)
      .max(255)
      .default('/migrations')
      .describe('Folder of the migration files in the image.'),
    configMapRef: z
      .object({ name: objectName('Name of a ConfigMap in the same namespace.') })
      .optional()
      .describe('A ConfigMap with the migration files, for small ones.'),
    from: revision(
      'The revision that must be in the database now; in YAML quote one that looks like a number. Where `to` is there already, nothing is done.',
    ),
    to: revision('The revision that must be there afterwards.'),
  })
  .meta({
    description: 'Where the migrations are and which of them to apply.',
    ...cel(
      {
        rule: 'has(self.image) != has(self.configMapRef)',
        message: 'migrations must have exactly one of image and configMapRef',
      },
      {
        rule: 'self.from != self.to',
        message: 'migrations.from and migrations.to must differ: there is nothing to migrate',
        fieldPath: '.to',
      },
    ),
  });

export const planFields = {
  database,
  migrations,
  workloads: z
    .array(workload)
    .min(1)
    .max(16)
    .meta({
      ...mapList('kind', 'name'),
      description: 'The applications that use the database. Order: scaled down together.',
    }),
  preflight: z
    .object({
      minPostgresVersion: int32(11, 99, 'Lowest major version of the server.').default(11),
      freeDiskFactor: int32(1, 10, 'Free disk that must be there, as a multiple of the database’s size.').default(2),
      checks: checks(
        'Questions about the data on the old schema that must be answered as expected before anything is touched; not asked on a rollback.',
      ),
    })
    .prefault({})
    .describe('What must hold before users are affected.'),
  snapshots: z
    .array(snapshot)
    .max(100)
    .default([])
    .meta({ ...mapList('name'), description: 'Figures that the migration must preserve.' }),
  backup,
  verification: z
    .object({
      checks: checks(
        'Asked on the migrated schema, behind the fence; in the migration’s own transaction where that is possible.',
      ),
      rollbackChecks: checks('Asked after the migration was undone.'),
      jobs: z
        .array(verificationJob)
        .max(8)
        .default([])
        .meta({ ...mapList('name'), description: 'Programs run behind the fence, after the checks.' }),
    })
    .prefault({})
    .describe('What must hold before users come back.'),
  smokeTests: z
    .array(smokeTest)
    .max(32)
    .default([])
    .meta({ ...mapList('name'), description: 'Asked once the application is back.' }),
  rollback: z
    .object({
      strategy: z
        .enum(['Auto', 'RestorePoint', 'Down'])
        .default('Auto')
        .describe(
          'Auto: the restore point while nobody but the runner has written, `down` afterwards. RestorePoint: only that; after clients have written a person decides. Down: `down`; while nobody but the runner has written, the restore point instead where a `down` is missing or fails, where it did not bring back what was there, or where it is not known how much of the migration is in the database.',
        ),
      restorePoint: z
        .enum(['Auto', 'Template', 'Dump', 'None'])
        .default('Auto')
        .describe(
          'How the restore point is taken behind the fence. Template: a clone of the database. Dump: an archive on the backup volume; slower, and takes room on the server only when it is put back. Auto: Template, unless the disk of the server is known to be too small for it. Both need a role that may create databases.',
        ),
    })
    .prefault({})
    .describe('How a failed migration is undone.'),
  outageDeadlineSeconds: int32(
    5,
    86_400,
    'An outage longer than this is ended by undoing the migration, in seconds.',
  ).default(600),
  preparationDeadlineSeconds: int32(
    10,
    86_400,
    'A run that is not ready for its outage after this many seconds has failed.',
  ).default(3600),
};

export const planRules = [
  {
    rule: "!self.workloads.exists(workload, has(workload.startPolicy) && workload.startPolicy == 'BehindFence') || (has(self.database.clientRoles) && self.database.clientRoles.size() > 0)",
    message:
      'startPolicy BehindFence needs database.clientRoles: with a shared role nothing would tell the new version from the runner',
  },
  {
    rule: '!has(self.verification) || !has(self.verification.jobs) || self.verification.jobs.size() == 0 || (has(self.database.clientRoles) && self.database.clientRoles.size() > 0)',
    message:
      'verification.jobs need database.clientRoles: with a shared role the fence would keep the verification Job out too',
  },
  {
    rule: "!has(self.rollback) || !has(self.rollback.strategy) || self.rollback.strategy != 'RestorePoint' || !has(self.rollback.restorePoint) || self.rollback.restorePoint != 'None'",
    message: 'rollback.strategy RestorePoint contradicts rollback.restorePoint None',
  },
];

export const plan = z.object(planFields).meta({ description: 'The frozen intent of a run.', ...cel(...planRules) });
export type Plan = z.infer<typeof plan>;
