import { expect } from 'chai';
import { Client } from 'pg';
import { startPostgres, type Postgres } from '../e2e/cluster/postgres.ts';
import {
  failing,
  installOldSchema,
  loadChecks,
  migrate,
  newRevision,
  passes,
  seed,
  takeSnapshots,
  type Check,
} from './testkit.ts';

/** A database of each schema with the data of planner.sql, copied for every test. */
describe('the checks of the phase migration', function () {
  this.timeout(60_000);
  let postgres: Postgres;
  let client: Client;
  let databases = 0;

  before(async () => {
    postgres = await startPostgres();
    await postgres.psql('CREATE DATABASE old_schema');
    await connected(postgres.adminUrl('old_schema'), async (c) => {
      await installOldSchema(c);
      await seed(c, 'planner');
    });
    await postgres.psql('CREATE DATABASE new_schema TEMPLATE old_schema');
    await connected(postgres.adminUrl('new_schema'), (c) => migrate(c, newRevision, 'up'));
  });

  after(() => postgres.stop());
  afterEach(() => client.end());

  async function copyOf(template: 'old_schema' | 'new_schema'): Promise<void> {
    const name = `copy_${++databases}`;
    await postgres.psql(`CREATE DATABASE ${name} TEMPLATE ${template}`);
    client = new Client({ connectionString: postgres.adminUrl(name) });
    await client.connect();
  }

  describe('preflight', () => {
    let checks: Check[];
    before(async () => (checks = await loadChecks('preflight')));
    beforeEach(() => copyOf('old_schema'));

    it('passes on the seed data', async () => {
      expect(checks).to.have.length(3);
      expect(await failing(client, checks)).to.deep.equal([]);
    });

    const broken = [
      ['no-phases', 'projects-have-phases'],
      ['orphaned-assignments', 'assignments-have-projects'],
      ['null-dates', 'projects-have-dates'],
    ] as const;
    for (const [data, check] of broken)
      it(`finds ${data} with ${check} and nothing else`, async () => {
        await seed(client, data);
        expect(await failing(client, checks)).to.deep.equal([check]);
      });
  });

  describe('forward', () => {
    let checks: Check[];
    before(async () => (checks = await loadChecks('forward')));

    it('are nine, and all fail or cannot be asked before the migration except those about what stays', async () => {
      await copyOf('old_schema');
      expect(checks).to.have.length(9);
      expect(await failing(client, checks)).to.deep.equal(
        checks.map(({ name }) => name).filter((name) => name !== 'budgets-preserved'),
      );
    });

    it('pass after the migration of the seed data', async () => {
      await copyOf('new_schema');
      expect(await failing(client, checks)).to.deep.equal([]);
      expect(await failing(client, await loadChecks('figures'))).to.deep.equal([]);
    });

    const planning1 = "id = md5('planning 1')::uuid";
    const broken: [check: string, sql: string][] = [
      [
        'phases-have-required-fields',
        `ALTER TABLE project_phases ALTER COLUMN end_date DROP NOT NULL;
         UPDATE project_phases SET end_date = NULL WHERE id = md5('planning 1')::uuid`,
      ],
      ['phase-type-removed', 'ALTER TABLE project_phases ADD COLUMN phase_type text'],
      ['project-phase-id-removed', 'ALTER TABLE resource_assignments ADD COLUMN project_phase_id uuid'],
      [
        'phase-dates-in-order',
        `ALTER TABLE project_phases DROP CONSTRAINT check_phase_dates;
         UPDATE project_phases SET end_date = start_date - 1 WHERE ${planning1}`,
      ],
      ['phase-names-populated', `UPDATE project_phases SET name = '' WHERE ${planning1}`],
      ['phases-cover-projects', `UPDATE project_phases SET start_date = start_date + 1 WHERE ${planning1}`],
      ['budgets-preserved', `UPDATE project_phases SET total_budget = 0 WHERE ${planning1}`],
      ['date-indexes-created', 'DROP INDEX ix_project_phases_end_date'],
      ['date-queries-work', "UPDATE resource_assignments SET assignment_date = date '1999-12-31'"],
    ];

    for (const [name, sql] of broken)
      it(`${name} fails, alone, when that is what is wrong`, async () => {
        await copyOf('new_schema');
        await client.query(sql);
        expect(await failing(client, checks)).to.deep.equal([name]);
      });

    it('an invalid index does not count as created', async () => {
      await copyOf('new_schema');
      await client.query(`UPDATE pg_index SET indisvalid = false
        WHERE indexrelid = 'ix_project_phases_start_date'::regclass`);
      expect(await failing(client, checks)).to.deep.equal(['date-indexes-created']);
    });

    it('uncovered projects are named with their dates and those of their phases', async () => {
      await copyOf('new_schema');
      await seed(client, 'uncovered-projects');
      expect(await failing(client, checks)).to.deep.equal(['phases-cover-projects']);
      const cover = checks.find(({ name }) => name === 'phases-cover-projects')!;
      const { rows } = await client.query<{ project_name: string }>(cover.query);
      expect(rows.map((row) => row.project_name)).to.deep.equal(['Atlas', 'Delta']);
    });
  });

  describe('rollback', () => {
    let checks: Check[];
    before(async () => (checks = await loadChecks('rollback')));

    it('are four and pass on the old schema', async () => {
      await copyOf('old_schema');
      expect(checks).to.have.length(4);
      expect(await failing(client, checks)).to.deep.equal([]);
    });

    it('all fail on the new schema', async () => {
      await copyOf('new_schema');
      expect(await failing(client, checks)).to.deep.equal(checks.map(({ name }) => name));
    });

    const broken: [check: string, sql: string][] = [
      ['project-phase-id-restored', 'ALTER TABLE resource_assignments ALTER COLUMN project_phase_id DROP NOT NULL'],
      ['new-columns-removed', 'ALTER TABLE project_phases ADD COLUMN description text'],
      [
        'phase-type-values-restored',
        `ALTER TABLE project_phases ALTER COLUMN phase_type DROP NOT NULL;
         UPDATE project_phases SET phase_type = NULL WHERE id = md5('planning 1')::uuid`,
      ],
    ];
    for (const [name, sql] of broken)
      it(`${name} fails, alone, when that is what is wrong`, async () => {
        await copyOf('old_schema');
        await client.query(sql);
        expect(await failing(client, checks)).to.deep.equal([name]);
      });
  });

  describe('figures', () => {
    it('each is about the seed data and fails on other data', async () => {
      await copyOf('new_schema');
      await client.query(`DELETE FROM project_phases; DELETE FROM projects WHERE name = 'Atlas'`);
      const figures = await loadChecks('figures');
      expect(await failing(client, figures)).to.deep.equal(figures.map(({ name }) => name));
    });
  });

  describe('snapshots', () => {
    it('are the figures of the runbook, and the same before and after the migration', async () => {
      await copyOf('old_schema');
      const before = await takeSnapshots(client, 'before');
      expect(before).to.deep.equal({
        counts: [
          ['project_phases', '8'],
          ['projects', '5'],
          ['resource_assignments', '1011'],
        ],
        'phase-distribution': [
          ['Execution', '5'],
          ['Planning', '3'],
        ],
        'budget-totals': [['1870000.00', '930000.00', '2800000.00']],
      });
      await migrate(client, newRevision, 'up');
      expect(await takeSnapshots(client, 'after')).to.deep.equal(before);
    });
  });

  it('an expected error is told from an answer and from another error', async () => {
    await copyOf('new_schema');
    const removed: Check = { name: 'gone', query: 'SELECT phase_type FROM project_phases', expect: { error: '42703' } };
    expect(await passes(client, removed)).to.be.true;
    expect(await passes(client, { ...removed, query: 'SELECT name FROM project_phases' })).to.be.false;
    expect(await passes(client, { ...removed, query: 'SELECT 1 FROM no_such_table' })).to.be.false;
  });
});

async function connected<T>(url: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
