import { expect } from 'chai';
import { startPostgres, type Postgres } from '../../e2e/cluster/postgres.ts';
import { RUNNER_ROLLBACK_STEPS } from '../api/step-names.ts';
import type { RunPort } from './port.ts';
import { expectExactly, PUT_BACK } from './testing/exactly.ts';
import { conduct } from './testing/operator.ts';
import { BACKUP, FILES, Scenario, type Files } from './testing/scenario.ts';

const NEVER = { name: 'never', query: 'SELECT 1', expect: { value: '0' } };
const verification = { checks: [NEVER], rollbackChecks: [], jobs: [] };
const rollback = { strategy: 'Down', restorePoint: 'Template' } as const;
const alone = (text: string | undefined) => `-- no-transaction\n${text}`;

/** What is tried to undo the migration, none of which is its inverse. */
const DOWNS: Record<string, { down: string; because: RegExp }> = {
  'forgets a column': {
    down: 'ALTER TABLE item RENAME COLUMN price TO amount',
    because: /after down the schema is not what it was: .*note/,
  },
  'fails half-way': {
    down: 'ALTER TABLE item RENAME COLUMN price TO amount; SELECT 1 / 0',
    because: /down of migration "0002_price": division by zero/,
  },
  'loses data': {
    down: `${FILES['0002_price.down.sql']}; UPDATE item SET amount = 0`,
    because: /figure "total"/,
  },
};

describe('A `down` that does not undo the migration, while nobody has written', function () {
  this.timeout(60_000);
  let server: Postgres;
  let scenario: Scenario;

  before(async () => {
    server = await startPostgres();
  });
  after(() => server.stop());
  afterEach(() => scenario.end());

  const filesWith = (down: string): Files => ({
    ...FILES,
    '0002_price.up.sql': alone(FILES['0002_price.up.sql']),
    '0002_price.down.sql': down,
  });

  /** Whatever was reported as failed would be an end to whoever reads it. */
  function expectNeverFailed(): void {
    const wayBack: readonly string[] = RUNNER_ROLLBACK_STEPS;
    const failed = scenario.memory.history.flatMap(({ steps = [] }) =>
      steps.filter(({ name, state }) => wayBack.includes(name) && state === 'Failed'),
    );
    expect(failed, 'reported failures of the way back').deep.equal([]);
  }

  async function expectPutBack(because: RegExp, method: string): Promise<void> {
    expectNeverFailed();
    await expectExactly(scenario, PUT_BACK);
    const { evidence } = scenario.step('Rollback') ?? {};
    expect(evidence).include({ method });
    expect(evidence?.['failedDown']).match(because);
    const told = scenario.memory.runner.warnings?.filter((text) =>
      text.startsWith('down failed, so the restore point'),
    );
    expect(told).length(1);
    expect(told?.[0]).match(because);
  }

  for (const method of ['Template', 'Dump'] as const)
    for (const ownerIsClient of [false, true])
      for (const [title, { down, because }] of Object.entries(DOWNS))
        it(`and ${title} is followed by the restore point without a failure in between (${method}, ${ownerIsClient ? 'CONNECTION LIMIT' : 'NOLOGIN'})`, async () => {
          const plan = { verification, rollback: { ...rollback, restorePoint: method } };
          scenario = await Scenario.create(server, { files: filesWith(down), plan, ownerIsClient });
          const operator = conduct(scenario, {});
          const runner = scenario.start();
          expect(await Promise.race([runner.ended, operator.failed])).equal('Finished');
          operator.stop();
          await expectPutBack(because, method);
        });

  it('is followed by the restore point where it was one transaction, too', async () => {
    const job = { name: 'figures', image: 'figures:1', timeoutSeconds: 60 };
    const files = { ...FILES, '0002_price.down.sql': DOWNS['forgets a column']!.down };
    const plan = { backup: BACKUP, verification: { checks: [], rollbackChecks: [], jobs: [job] }, rollback };
    scenario = await Scenario.create(server, { files, plan });
    const operator = conduct(scenario, { failingJob: job.name });
    const runner = scenario.start();
    expect(await Promise.race([runner.ended, operator.failed])).equal('Finished');
    operator.stop();
    await expectPutBack(DOWNS['forgets a column']!.because, 'Template');
  });

  for (const { method, ownerIsClient } of [
    { method: 'Template', ownerIsClient: false },
    { method: 'Dump', ownerIsClient: true },
  ] as const)
    for (const moment of ['before', 'after'] as const)
      for (const [title, { down }] of Object.entries(DOWNS))
        it(`and ${title} is not believed by the next start where the runner was killed ${moment} the report that the restore point is put back (${method})`, async () => {
          const plan = { verification, rollback: { ...rollback, restorePoint: method } };
          scenario = await Scenario.create(server, { files: filesWith(down), plan, ownerIsClient });
          const operator = conduct(scenario, {});
          const inner = scenario.memory.port(1);
          const port: RunPort = {
            ...inner,
            report: async (status) => {
              if (status.restorePoint?.state !== 'PuttingBack') return inner.report(status);
              if (moment === 'after') await inner.report(status);
              first.kill();
              throw new Error('killed');
            },
          };
          const first = scenario.start({ port });
          await Promise.race([first.ended, operator.failed]);
          const swapped = `SELECT count(*) FROM pg_database WHERE datname LIKE '${scenario.database}_failed%'`;
          expect(await scenario.server.psql(swapped)).equal('0');
          const second = scenario.startNext();
          expect(await Promise.race([second.ended, operator.failed])).equal('Finished');
          operator.stop();
          expectNeverFailed();
          await expectExactly(scenario, PUT_BACK);
        });

  it('is not asked to undo the half that a failed migration left, of which it knows nothing', async () => {
    const files = {
      ...filesWith(FILES['0002_price.down.sql']!),
      '0003_free.up.sql': alone('UPDATE item SET price = 0; SELECT 1 / 0'),
      '0003_free.down.sql': 'SELECT 1',
    };
    const plan = { verification, rollback, snapshots: [] };
    scenario = await Scenario.create(server, { files, plan, spec: { targetRevision: '0003' } });
    const operator = conduct(scenario, {});
    const runner = scenario.start();
    expect(await Promise.race([runner.ended, operator.failed])).equal('Finished');
    operator.stop();
    expectNeverFailed();
    await expectExactly(scenario, PUT_BACK);
  });

  it('is looked at again by Retry although its ledger says that everything is undone', async () => {
    const blocked = { name: 'blocked', query: 'SELECT count(*) FROM item WHERE id = 4711', expect: { value: '0' } };
    const plan = { verification: { checks: [], rollbackChecks: [blocked], jobs: [] } };
    scenario = await Scenario.create(server, { files: filesWith(FILES['0002_price.down.sql']!), plan });
    scenario.start();
    await scenario.reach('Prepared');
    await scenario.reach('Migrated');
    await scenario.sql(`SET ROLE "${scenario.client}"; INSERT INTO item VALUES (4711, 1, 'of a client')`);
    scenario.memory.setGoal('RolledBack');
    await scenario.failed('Rollback');
    scenario.memory.setResolution({ number: 1, action: 'Retry', runnerEpoch: scenario.epoch + 1 });
    scenario.startNext();
    const isSettled = ({ epoch, steps = [], reachedGoal }: typeof scenario.memory.runner) =>
      epoch === 2 &&
      (reachedGoal === 'RolledBack' ||
        steps.some(({ name, state }) => name === 'VerifyRollback' && state === 'Failed'));
    await scenario.memory.when(isSettled, 'what becomes of Retry');
    expect(scenario.step('VerifyRollback')?.message).contain('check "blocked"');
    await scenario.sql('DELETE FROM item WHERE id = 4711');
    scenario.memory.setResolution({ number: 2, action: 'Retry', runnerEpoch: scenario.epoch + 1 });
    scenario.startNext();
    await scenario.memory.when(({ epoch, reachedGoal }) => epoch === 3 && reachedGoal === 'RolledBack', 'undone');
    await scenario.reach('Finished');
    await expectExactly(scenario, {
      ...PUT_BACK,
      ledger: '0001 up applied, 0002 up started, 0002 up applied, 0002 down started, 0002 down applied',
    });
  });
});
