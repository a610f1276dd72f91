import { expect } from 'chai';
import { startPostgres, type Postgres } from '../../e2e/cluster/postgres.ts';
import { expectExactly, MIGRATED, PUT_BACK, type Exactly } from './testing/exactly.ts';
import { conduct, type Conduct } from './testing/operator.ts';
import { RunnerProcesses } from './testing/process.ts';
import { FILES, Scenario } from './testing/scenario.ts';
import { sweep } from './testing/sweep.ts';

type Options = Parameters<typeof Scenario.create>[1];

interface Way {
  title: string;
  options?: Options;
  conduct?: (scenario: Scenario) => Conduct;
  /** At least so many reports are made, so that the test cannot pass by making none. */
  reports: number;
  expected: Exactly;
}

const JOB = { name: 'figures', image: 'figures:1' };
const FAILING_CHECK = { name: 'never', query: 'SELECT 1' };

const WAYS: Way[] = [
  { title: 'carried through, fenced by NOLOGIN', reports: 12, expected: MIGRATED },
  {
    title: 'carried through, fenced by CONNECTION LIMIT',
    options: { ownerIsClient: true },
    reports: 12,
    expected: MIGRATED,
  },
  {
    title: 'undone by the restore point after its verification Job failed',
    options: { plan: { verification: { checks: [], rollbackChecks: [], jobs: [{ ...JOB, timeoutSeconds: 60 }] } } },
    conduct: () => ({ failingJob: JOB.name }),
    reports: 18,
    expected: PUT_BACK,
  },
  {
    title: 'undone by the restore point after its check failed outside a transaction, fenced by CONNECTION LIMIT',
    options: {
      ownerIsClient: true,
      files: { ...FILES, '0002_price.up.sql': `-- no-transaction\n${FILES['0002_price.up.sql']}` },
      plan: { verification: { checks: [FAILING_CHECK], rollbackChecks: [], jobs: [] } } as never,
    },
    reports: 18,
    expected: PUT_BACK,
  },
  {
    title: 'undone by `down` after clients wrote',
    conduct: (scenario) => ({
      undo: { clients: () => scenario.sql('INSERT INTO item (id, price) VALUES (1000, 7)').then(() => undefined) },
    }),
    reports: 18,
    expected: {
      ledger: '0001 up applied, 0002 up applied, 0002 down applied',
      rows: '101 50507',
      columns: 'id amount',
      databaseChanged: 'No',
    },
  },
];

describe('A runner that is killed with SIGKILL at each of its reports', function () {
  this.timeout(600_000);
  let server: Postgres;
  let processes: RunnerProcesses;

  before(async () => {
    server = await startPostgres({ settings: { max_connections: '200' } });
    processes = new RunnerProcesses();
  });
  after(async () => {
    await processes.end();
    await server.stop();
  });

  for (const way of WAYS) {
    it(`is followed by one that ends the run exactly: ${way.title}`, async () => {
      const reports = await sweep((report) => killedAt(way, report));
      expect(reports, 'reports of an undisturbed run').greaterThan(way.reports);
    });
  }

  /** @returns whether the first start made so many reports */
  async function killedAt(way: Way, report: number): Promise<boolean> {
    const scenario = await Scenario.create(server, way.options);
    const operator = conduct(scenario, way.conduct?.(scenario) ?? {});
    const moment = report % 2 === 0 ? 'Lost' : 'Written';
    const work = async () => {
      const at = (_status: unknown, made: number) => made === report;
      const end = await processes.start(scenario, 1, { signalAt: { at, signal: 'SIGKILL', moment } }).ended;
      if (end !== 'killed') return end;
      scenario.memory.setEpoch(++scenario.epoch);
      return processes.start(scenario, 2).ended;
    };
    try {
      expect(await Promise.race([work(), operator.failed])).equal('Finished');
      await expectExactly(scenario, way.expected);
      return scenario.epoch === 2;
    } catch (error) {
      const status = JSON.stringify(scenario.memory.runner, null, 1);
      throw new Error(`killed at report ${report} (${moment}): ${status}`, { cause: error });
    } finally {
      operator.stop();
      await scenario.end();
    }
  }
});
