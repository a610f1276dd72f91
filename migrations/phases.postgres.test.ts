import { expect } from 'chai';
import { Client } from 'pg';
import { startPostgres, type Postgres } from '../e2e/cluster/postgres.ts';
import { refusal, rows, schema } from './fixtures.ts';
import {
  baseRevision,
  failing,
  installOldSchema,
  loadChecks,
  migrate,
  newRevision,
  oldRevision,
  seed,
  takeSnapshots,
} from './testkit.ts';

const warning = (n: number) => `${n} assignments were outside phase date ranges and assigned to first phase`;

describe('the migration 92023c163a26', function () {
  this.timeout(60_000);
  let postgres: Postgres;
  let client: Client;
  let databases = 0;

  before(async () => {
    postgres = await startPostgres();
    await postgres.psql('CREATE ROLE planner_app LOGIN; CREATE ROLE planner_owner LOGIN');
  });
  after(() => postgres.stop());

  beforeEach(async () => {
    const name = `planner_${++databases}`;
    await postgres.psql(`CREATE DATABASE ${name} OWNER planner_owner`);
    client = await connect(name, 'planner_owner');
    await installOldSchema(client);
  });
  afterEach(() => client.end());

  async function connect(database: string, user: string): Promise<Client> {
    const connected = new Client({ host: postgres.host, port: postgres.port, database, user });
    await connected.connect();
    return connected;
  }

  describe('with the seed data', () => {
    beforeEach(() => seed(client, 'planner'));

    it('goes up, down and up again with the figures of the runbook', async () => {
      const before = { schema: await schema(client), snapshots: await takeSnapshots(client, 'before') };
      expect(await migrate(client, newRevision, 'up')).to.deep.equal([]);
      const after = {
        schema: await schema(client),
        phases: await rows(client, 'SELECT * FROM project_phases ORDER BY id'),
      };
      expect(await failing(client, await loadChecks('forward'))).to.deep.equal([]);
      expect(await failing(client, await loadChecks('figures'))).to.deep.equal([]);
      expect(await takeSnapshots(client, 'after')).to.deep.equal(before.snapshots);

      expect(await migrate(client, newRevision, 'down')).to.deep.equal([warning(420)]);
      expect(await failing(client, await loadChecks('rollback'))).to.deep.equal([]);
      expect({ schema: await schema(client), snapshots: await takeSnapshots(client, 'before') }).to.deep.equal(before);

      expect(await migrate(client, newRevision, 'up')).to.deep.equal([]);
      expect(await failing(client, await loadChecks('figures'))).to.deep.equal([]);
      expect({
        schema: await schema(client),
        phases: await rows(client, 'SELECT * FROM project_phases ORDER BY id'),
      }).to.deep.equal(after);
    });

    it('gives every assignment within its project back to its own phase, and the others to the first', async () => {
      await client.query('CREATE TABLE kept AS SELECT id, project_phase_id FROM resource_assignments');
      await migrate(client, newRevision, 'up');
      await migrate(client, newRevision, 'down');
      const inside = `FROM resource_assignments ra JOIN kept USING (id) JOIN projects p ON p.id = ra.project_id
        JOIN project_phases ph ON ph.id = ra.project_phase_id
        WHERE ra.assignment_date BETWEEN p.start_date AND p.end_date`;
      expect(
        await rows(client, `SELECT count(*)::int ${inside} AND kept.project_phase_id = ra.project_phase_id`),
      ).to.deep.equal([[591]]);
      expect(
        await rows(
          client,
          `SELECT ph.phase_type::text, count(*)::int FROM resource_assignments ra
          JOIN projects p ON p.id = ra.project_id JOIN project_phases ph ON ph.id = ra.project_phase_id
          WHERE ra.assignment_date NOT BETWEEN p.start_date AND p.end_date GROUP BY 1 ORDER BY 1`,
        ),
      ).to.deep.equal([
        ['execution', 168],
        ['planning', 252],
      ]);
    });

    it('lets the client role change rows, before and after, and nothing else', async () => {
      const [[database]] = (await rows(client, 'SELECT current_database()')) as [[string]];
      await migrate(client, newRevision, 'up');
      const app = await connect(database, 'planner_app');
      try {
        await app.query("UPDATE project_phases SET description = 'ours'");
        expect((await refusal(app.query('DROP TABLE actuals'))).code).to.equal('42501');
        expect((await refusal(app.query('CREATE TABLE theirs ()'))).code).to.equal('42501');
      } finally {
        await app.end();
      }
    });

    it('goes down to nothing', async () => {
      await migrate(client, oldRevision, 'down');
      await migrate(client, baseRevision, 'down');
      expect(
        await rows(client, `SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace`),
      ).to.deep.equal([]);
      expect(
        await rows(client, `SELECT typname FROM pg_type WHERE typnamespace = 'public'::regnamespace`),
      ).to.deep.equal([]);
    });
  });

  it('seeds more on request, in the same proportions', async () => {
    await client.query(
      `SET planner.assignments = 10110; SET planner.projects = 20; SET planner.projects_with_planning = 20`,
    );
    await seed(client, 'planner');
    await migrate(client, newRevision, 'up');
    expect(await takeSnapshots(client, 'after'))
      .to.include.deep.keys('counts')
      .and.to.deep.include({
        counts: [
          ['project_phases', '40'],
          ['projects', '20'],
          ['resource_assignments', '10110'],
        ],
      });
    expect(await failing(client, await loadChecks('forward'))).to.deep.equal([]);
    expect(await migrate(client, newRevision, 'down')).to.deep.equal([warning(4200)]);
  });

  it('adds nothing when the same seed runs again', async () => {
    await seed(client, 'planner');
    const before = await takeSnapshots(client, 'before');
    await seed(client, 'planner');
    expect(await takeSnapshots(client, 'before')).to.deep.equal(before);
  });
});
