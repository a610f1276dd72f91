import { z } from 'zod';
import { cel, int32, objectName, text } from './schema-parts.ts';

const s3 = z
  .object({
    bucket: text(63, 'The bucket.').regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/),
    prefix: text(512, 'What the keys begin with, before the namespace.')
      .regex(/^[A-Za-z0-9!_.*'()-]+(\/[A-Za-z0-9!_.*'()-]+)*$/)
      .optional(),
    region: text(64, 'The region.')
      .regex(/^[a-z0-9-]+$/)
      .default('us-east-1'),
    endpoint: text(512, 'URL of another server than AWS’s that speaks the S3 protocol.')
      .regex(/^https?:\/\/[^\s/@]+$/)
      .optional(),
    secretRef: z
      .object({ name: objectName('A Secret with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.') })
      .optional()
      .describe(
        'Who the runner is to the bucket. Left out: what the AWS client finds in the pod, the role of its node for instance.',
      ),
    serverSideEncryption: z
      .enum(['AES256', 'aws:kms'])
      .optional()
      .describe('x-amz-server-side-encryption, which the stored objects must then have. Left out: the bucket’s.'),
    kmsKeyId: text(2048, 'The key of aws:kms. Left out: the bucket’s.').optional(),
  })
  .meta(
    cel({
      rule: "!has(self.kmsKeyId) || (has(self.serverSideEncryption) && self.serverSideEncryption == 'aws:kms')",
      message: 'kmsKeyId needs serverSideEncryption aws:kms',
    }),
  );

/** `spec.backup` */
export const backup = z
  .object({
    claimName: objectName('A PersistentVolumeClaim in the same namespace that the archive is written to.'),
    format: z
      .enum(['Custom', 'Directory'])
      .default('Custom')
      .describe(
        'pg_dump --format. Custom: one file. Directory: a folder with a file for each table, written and restored by `jobs` connections at the same time.',
      ),
    compression: z
      .enum(['Auto', 'Gzip', 'None'])
      .default('Auto')
      .describe(
        'pg_dump --compress. Auto: the fastest that the server version’s pg_dump has: zstd level 1, before version 16 gzip level 1. Gzip: level 1, which every pg_restore reads. None: for a volume that compresses by itself.',
      ),
    jobs: int32(1, 16, 'pg_dump --jobs and pg_restore --jobs, with format Directory.').default(2),
    rehearsal: z
      .enum(['Read', 'Restore'])
      .default('Read')
      .describe(
        'How the archive is proved before the outage. Read: read back whole. Restore: restored into a scratch database of the same server, whose schema, figures, row counts and content hashes must be those that were dumped; needs a role that may create databases, and once more the database’s size.',
      ),
    contentHash: z
      .enum(['Enabled', 'Disabled'])
      .default('Enabled')
      .describe(
        'Whether every table’s content is hashed by the server in the snapshot that is dumped, before the outage: about 2 s of one core for 1,000,000 rows. Rows are counted anyway.',
      ),
    s3: s3
      .optional()
      .describe(
        'A bucket that the finished archive is copied to before the outage, every part with its checksum, and brought back from where the volume is lost or damaged.',
      ),
    retention: z
      .object({
        maxAgeDays: int32(1, 3650, 'Age from which a backup of the same database on the volume is removed.'),
        keepLast: int32(1, 1000, 'So many of the last good ones stay, whatever their age is.').default(1),
      })
      .optional()
      .describe(
        'Which older backups a run removes when it ends; none while another run of that database has not ended. Left out: all stay.',
      ),
  })
  .describe('Where pg_dump’s archive goes, how it is written, and how long it is kept.');
export type Backup = z.infer<typeof backup>;
