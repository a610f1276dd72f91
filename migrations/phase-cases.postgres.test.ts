import { expect } from 'chai';
import { Client } from 'pg';
import { startPostgres, type Postgres } from '../e2e/cluster/postgres.ts';
import { phases, phaseTypes, refusal, schema } from './fixtures.ts';
import { failing, installOldSchema, loadChecks, migrate, newRevision, seed } from './testkit.ts';

const warning = (n: number) => `${n} assignments were outside phase date ranges and assigned to first phase`;

describe('the migration 92023c163a26, case by case', function () {
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

  async function project(name: string, start: string, end: string, ...types: string[]): Promise<void> {
    await client.query(`INSERT INTO projects (id, name, start_date, end_date) VALUES (md5($1)::uuid, $1, $2, $3)`, [
      name,
      start,
      end,
    ]);
    for (const type of types)
      await client.query(`INSERT INTO project_phases (project_id, phase_type) VALUES (md5($1)::uuid, $2)`, [
        name,
        type,
      ]);
  }

  async function resource(): Promise<void> {
    await client.query(`INSERT INTO resources (id, name) VALUES (md5('Ann')::uuid, 'Ann')`);
  }

  async function assign(project: string, type: string, ...days: string[]): Promise<void> {
    for (const day of days)
      await client.query(
        `INSERT INTO resource_assignments (project_id, resource_id, project_phase_id, assignment_date)
         SELECT ph.project_id, md5('Ann')::uuid, ph.id, $3 FROM project_phases ph
         WHERE ph.project_id = md5($1)::uuid AND ph.phase_type = $2::phase_type`,
        [project, type, day],
      );
  }

  describe('up', () => {
    it('gives the only phase the whole project', async () => {
      await project('P', '2026-01-01', '2026-01-31', 'execution');
      await migrate(client, newRevision, 'up');
      expect(await phases(client, 'P')).to.deep.equal([['Execution', '2026-01-01', '2026-01-31']]);
    });

    it('divides the days of a project without assignments equally', async () => {
      await project('P', '2026-01-01', '2026-01-10', 'execution', 'planning');
      await migrate(client, newRevision, 'up');
      expect(await phases(client, 'P')).to.deep.equal([
        ['Planning', '2026-01-01', '2026-01-05'],
        ['Execution', '2026-01-06', '2026-01-10'],
      ]);
    });

    it('moves the border forward to after the last day of planning', async () => {
      await project('P', '2026-01-01', '2026-01-10', 'execution', 'planning');
      await resource();
      await assign('P', 'planning', '2026-01-02', '2026-01-08');
      await migrate(client, newRevision, 'up');
      expect(await phases(client, 'P')).to.deep.equal([
        ['Planning', '2026-01-01', '2026-01-08'],
        ['Execution', '2026-01-09', '2026-01-10'],
      ]);
    });

    it('moves the border back to the first day of execution, and not for days outside the project', async () => {
      await project('P', '2026-01-01', '2026-01-10', 'execution', 'planning');
      await resource();
      await assign('P', 'execution', '2025-12-01', '2026-01-03', '2026-01-09');
      await assign('P', 'planning', '2026-01-01', '2026-02-01');
      await migrate(client, newRevision, 'up');
      expect(await phases(client, 'P')).to.deep.equal([
        ['Planning', '2026-01-01', '2026-01-02'],
        ['Execution', '2026-01-03', '2026-01-10'],
      ]);
    });

    it('divides equally where planning and execution overlap, so that no border fits', async () => {
      await project('P', '2026-01-01', '2026-01-10', 'execution', 'planning');
      await resource();
      await assign('P', 'planning', '2026-01-09');
      await assign('P', 'execution', '2026-01-02');
      await migrate(client, newRevision, 'up');
      expect(await phases(client, 'P')).to.deep.equal([
        ['Planning', '2026-01-01', '2026-01-05'],
        ['Execution', '2026-01-06', '2026-01-10'],
      ]);
    });

    it('leaves each phase a day when execution begins with the project or planning ends with it', async () => {
      await resource();
      await project('A', '2026-01-01', '2026-01-10', 'execution', 'planning');
      await assign('A', 'execution', '2026-01-01');
      await project('B', '2026-01-01', '2026-01-10', 'execution', 'planning');
      await assign('B', 'planning', '2026-01-10');
      await migrate(client, newRevision, 'up');
      for (const name of ['A', 'B'])
        expect(await phases(client, name)).to.deep.equal([
          ['Planning', '2026-01-01', '2026-01-05'],
          ['Execution', '2026-01-06', '2026-01-10'],
        ]);
    });

    it('divides among three phases without a gap', async () => {
      await project('P', '2026-01-01', '2026-01-10', 'planning', 'execution', 'execution');
      await migrate(client, newRevision, 'up');
      expect(await phases(client, 'P')).to.deep.equal([
        ['Planning', '2026-01-01', '2026-01-03'],
        ['Execution', '2026-01-04', '2026-01-06'],
        ['Execution', '2026-01-07', '2026-01-10'],
      ]);
    });

    it('lets phases share the day of a project that has only one', async () => {
      await project('P', '2026-01-01', '2026-01-01', 'planning', 'execution');
      await migrate(client, newRevision, 'up');
      expect(await phases(client, 'P')).to.deep.equal([
        ['Planning', '2026-01-01', '2026-01-01'],
        ['Execution', '2026-01-01', '2026-01-01'],
      ]);
      expect((await failing(client, await loadChecks('forward'))).filter((name) => name !== 'date-queries-work')).to.be
        .empty;
    });

    it('refuses projects with NULL dates by name and changes nothing', async () => {
      const before = await schema(client);
      await seed(client, 'planner');
      await seed(client, 'null-dates');
      const error = await refusal(migrate(client, newRevision, 'up'));
      expect(error.code).to.equal('23502');
      expect(error.message).to.match(/^NULL value in column .* of 1 project\(s\).*: "Undated" \([-0-9a-f]{36}\)$/);
      expect(error.hint).to.match(/first and a last day/);
      expect(await schema(client)).to.deep.equal(before);
    });

    it('names five of many projects with NULL dates', async () => {
      for (let n = 1; n <= 7; n++) await project(`P${n}`, '2026-01-01', '2026-01-02', 'execution');
      await client.query('UPDATE projects SET end_date = NULL');
      const { message } = await refusal(migrate(client, newRevision, 'up'));
      expect(message).to.match(/of 7 project\(s\)/);
      expect(message.match(/"P\d"/g)).to.have.length(5);
      expect(message).to.match(/…$/);
    });

    const failingVerification = [
      ['no-phases', 'phases-cover-projects'],
      ['all-outside', 'date-queries-work'],
      ['unbalanced-budget', 'budgets-preserved'],
    ] as const;
    for (const [data, check] of failingVerification)
      it(`succeeds on ${data}, which ${check} then finds`, async () => {
        await seed(client, 'planner');
        await seed(client, data);
        await migrate(client, newRevision, 'up');
        expect(await failing(client, await loadChecks('forward'))).to.deep.equal([check]);
        await migrate(client, newRevision, 'down');
        expect(await failing(client, await loadChecks('rollback'))).to.deep.equal([]);
      });
  });

  describe('down, after users worked with the new version', () => {
    beforeEach(async () => {
      await resource();
      await migrate(client, newRevision, 'up');
      await client.query(`INSERT INTO projects (id, name, start_date, end_date)
        VALUES (md5('P')::uuid, 'P', '2026-01-01', '2026-01-31')`);
    });

    async function phase(name: string, start: string, end: string): Promise<void> {
      await client.query(
        `INSERT INTO project_phases (project_id, name, start_date, end_date, description)
         VALUES (md5('P')::uuid, $1, $2, $3, 'What it is about')`,
        [name, start, end],
      );
    }

    async function work(...days: string[]): Promise<void> {
      for (const day of days)
        await client.query(
          `INSERT INTO resource_assignments (project_id, resource_id, assignment_date)
           VALUES (md5('P')::uuid, md5('Ann')::uuid, $1)`,
          [day],
        );
    }

    it('says nothing where every name and day has its place', async () => {
      await phase('PLANNING', '2026-01-01', '2026-01-10');
      await phase('execution', '2026-01-11', '2026-01-31');
      await work('2026-01-10', '2026-01-11', '2026-01-31');
      expect(await migrate(client, newRevision, 'down')).to.deep.equal([]);
      expect(await phaseTypes(client, 'P')).to.deep.equal([
        ['planning', 1],
        ['execution', 2],
      ]);
    });

    it('makes the first of several custom phases planning and the others execution', async () => {
      await phase('Rollout', '2026-01-21', '2026-01-31');
      await phase('Build', '2026-01-11', '2026-01-20');
      await phase('Discovery', '2026-01-01', '2026-01-10');
      await work('2026-01-05', '2026-01-15', '2026-01-16', '2026-01-25', '2026-01-26', '2026-01-27', '2026-02-01');
      expect(await migrate(client, newRevision, 'down')).to.deep.equal([
        '3 phases had a name other than Planning or Execution: the first of several became planning, the others execution',
        warning(1),
      ]);
      expect(await phaseTypes(client, 'P')).to.deep.equal([
        ['planning', 2],
        ['execution', 2],
        ['execution', 3],
      ]);
      expect(await failing(client, await loadChecks('rollback'))).to.deep.equal([]);
    });

    it('makes the only custom phase execution', async () => {
      await phase('Default Phase', '2026-01-01', '2026-01-31');
      expect(await migrate(client, newRevision, 'down')).to.have.length(1);
      expect(await phaseTypes(client, 'P')).to.deep.equal([['execution', 0]]);
    });

    it('puts a day that several phases cover into the one that begins first', async () => {
      await phase('Planning', '2026-01-01', '2026-01-31');
      await phase('Execution', '2026-01-10', '2026-01-20');
      await work('2026-01-15', '2026-01-25');
      expect(await migrate(client, newRevision, 'down')).to.deep.equal([]);
      expect(await phaseTypes(client, 'P')).to.deep.equal([
        ['planning', 2],
        ['execution', 0],
      ]);
    });

    it('gives a project with assignments and no phase one, rather than failing or losing them', async () => {
      await work('2026-01-15', '2027-01-15');
      expect(await migrate(client, newRevision, 'down')).to.deep.equal([
        '1 projects had assignments but no phase and were given an execution phase without budget',
        warning(1),
      ]);
      expect(await phaseTypes(client, 'P')).to.deep.equal([['execution', 2]]);
    });
  });
});
