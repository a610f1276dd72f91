import { MIGRATED, PUT_BACK, type Exactly } from '../../operator/runner/testing/exactly.ts';
import type { Conduct } from '../../operator/runner/testing/operator.ts';
import { FILES, type Scenario } from '../../operator/runner/testing/scenario.ts';

export interface History {
  /** In a sentence, for the list. */
  title: string;
  options?: Parameters<typeof Scenario.create>[1];
  wishes?: (scenario: Scenario) => Conduct;
  /** What its end must be, whatever goes wrong. */
  end: Exactly;
}

const JOB = 'figures';
const never = { name: 'never', query: 'SELECT 1' };

export const histories = {
  success: { title: 'a migration that succeeds, fenced by NOLOGIN', end: MIGRATED },
  'connection-limit': {
    title: 'a migration that succeeds, fenced by CONNECTION LIMIT',
    options: { ownerIsClient: true },
    end: MIGRATED,
  },
  'verification-fails': {
    title: 'a verification Job that fails: the restore point is put back',
    options: {
      plan: {
        verification: { checks: [], rollbackChecks: [], jobs: [{ name: JOB, image: 'figures:1', timeoutSeconds: 60 }] },
      },
    },
    wishes: () => ({ failingJob: JOB }),
    end: PUT_BACK,
  },
  'check-fails': {
    title: 'a check that fails outside a transaction: the restore point is put back under CONNECTION LIMIT',
    options: {
      ownerIsClient: true,
      files: { ...FILES, '0002_price.up.sql': `-- no-transaction\n${FILES['0002_price.up.sql']}` },
      plan: { verification: { checks: [never], rollbackChecks: [], jobs: [] } } as never,
    },
    end: PUT_BACK,
  },
  down: {
    title: '`down` on request, after clients wrote',
    wishes: (scenario) => ({
      undo: { clients: () => scenario.sql('INSERT INTO item (id, price) VALUES (1000, 7)').then(() => undefined) },
    }),
    end: {
      ledger: '0001 up applied, 0002 up applied, 0002 down applied',
      rows: '101 50507',
      columns: 'id amount',
      databaseChanged: 'No',
    },
  },
} satisfies Record<string, History>;
export type HistoryName = keyof typeof histories;
