import { plan } from '../../operator/api/plan.ts';
import { FILES, type Scenario } from '../../operator/runner/testing/scenario.ts';

type Options = NonNullable<Parameters<typeof Scenario.create>[1]>;

export interface History {
  /** In a sentence, for the list. */
  title: string;
  options: Options;
  /** The name of a verification Job that says that the data is wrong. */
  failingJob?: string;
  /** It is undone on request after it succeeded and clients wrote. */
  isUndone?: boolean;
  /** Its migration runs outside a transaction: what cuts it short leaves a half that is never tried again. */
  isAlone?: boolean;
}

const JOB = { name: 'figures', image: 'figures:1', timeoutSeconds: 60 };
const NEVER = { name: 'never', query: 'SELECT 1', expect: { value: '0' } };

const withoutTransaction = (files: Record<string, string>) => ({
  ...files,
  '0002_price.up.sql': `-- no-transaction\n${files['0002_price.up.sql']}`,
});

const INDEXED = {
  ...FILES,
  '0002_price.up.sql': `${FILES['0002_price.up.sql']};
    CREATE INDEX CONCURRENTLY item_price ON item (price)`,
  '0002_price.down.sql': `DROP INDEX item_price;${FILES['0002_price.down.sql']}`,
};

const verification = (changes: object) => ({ checks: [], rollbackChecks: [], jobs: [], ...changes });
const rollback = (restorePoint: 'Template' | 'Dump') => ({ strategy: 'Auto', restorePoint }) as const;

/** Most of them together go through every part of the runner. */
export const histories = {
  success: {
    title: 'a migration that succeeds, fenced by NOLOGIN',
    options: { plan: { rollback: rollback('Template') } },
  },
  'connection-limit': {
    title: 'a migration that succeeds, fenced by CONNECTION LIMIT',
    options: { ownerIsClient: true, plan: { rollback: rollback('Template') } },
  },
  restore: {
    title: 'a check that fails outside a transaction: the template clone is put back',
    options: {
      files: withoutTransaction(FILES),
      plan: { rollback: rollback('Template'), verification: verification({ checks: [NEVER] }) },
    },
    isAlone: true,
  },
  'restore-dump': {
    title: 'a check that fails outside a transaction, fenced by CONNECTION LIMIT: the dump is put back',
    options: {
      ownerIsClient: true,
      files: withoutTransaction(FILES),
      plan: { rollback: rollback('Dump'), verification: verification({ checks: [NEVER] }) },
    },
    isAlone: true,
  },
  'job-fails': {
    title: 'a verification Job that fails: the template clone is put back',
    options: { plan: { rollback: rollback('Template'), verification: verification({ jobs: [JOB] }) } },
    failingJob: JOB.name,
  },
  down: {
    title: 'undone by down on request, after clients wrote',
    options: { plan: { rollback: rollback('Template') } },
    isUndone: true,
  },
  index: {
    title: 'CREATE INDEX CONCURRENTLY, which runs outside a transaction, succeeds',
    options: { files: withoutTransaction(INDEXED), plan: { rollback: rollback('Template') } },
    isAlone: true,
  },
  rehearsed: {
    title: 'a backup of two connections that is restored and compared, and a migration that succeeds',
    options: {
      plan: {
        rollback: rollback('Template'),
        backup: plan.shape.backup.parse({ claimName: 'backup', rehearsal: 'Restore', format: 'Directory', jobs: 2 }),
      },
    },
  },
} satisfies Record<string, History>;
export type HistoryName = keyof typeof histories;
