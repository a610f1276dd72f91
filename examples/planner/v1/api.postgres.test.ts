import { expect } from 'chai';
import { startPostgres, type Postgres } from '../../../e2e/cluster/postgres.ts';
import { errorCode, errorMessage, field, type Json } from '../api-client.ts';
import { createTestbed, type Testbed } from '../testbed.ts';
import { planner } from './planner.ts';

/** What users of the old version have, and get back after a rollback. */
describe('planner 1', function () {
  this.timeout(60_000);
  let postgres: Postgres;
  let bed: Testbed;

  before(async () => {
    postgres = await startPostgres();
    bed = await createTestbed(postgres, planner);
  });
  after(async () => {
    await bed.close();
    await postgres.stop();
  });

  const path = (project: string) => `/api/v1/projects/${project}/phases`;

  describe('phases', () => {
    it('of the seed data are planning and execution with their budgets', async () => {
      const body = await bed.phases(await bed.atlas());
      expect(field(body, 'phases.0')).to.include({ phase_type: 'planning', total_budget: 150_000 });
      expect(field(body, 'phases.1')).to.include({ phase_type: 'execution', total_budget: 550_000 });
      expect(field(body, 'phases.2')).to.equal(undefined);
    });

    it('of a new project are one of each, without budgets', async () => {
      const { id } = await bed.newProject();
      const body = await bed.phases(id);
      expect(field(body, 'phases.0')).to.include({ phase_type: 'planning', total_budget: 0 });
      expect(field(body, 'phases.1')).to.include({ phase_type: 'execution', total_budget: 0 });
    });

    it('cannot be added twice', async () => {
      const { id } = await bed.newProject();
      const { status, body } = await bed.api.post(path(id), { phase_type: 'planning' });
      expect([status, errorCode(body)]).to.deep.equal([409, 'PhaseExists']);
    });

    it('can be deleted and added again, except the last and those with assignments', async () => {
      const { id, phaseId } = await bed.newProject();
      const execution = field(await bed.phases(id), 'phases.1.id') as string;
      expect((await bed.api.delete(`/api/v1/phases/${phaseId}`)).status).to.equal(204);
      expect(errorCode((await bed.api.delete(`/api/v1/phases/${execution}`)).body)).to.equal('LastPhase');
      const planning = { phase_type: 'planning', capital_budget: 10, expense_budget: 5 };
      const again = await bed.api.post(path(id), planning);
      expect(again.body).to.include({ ...planning, total_budget: 15 });
      await bed.assign(id, '2026-02-14', { project_phase_id: execution });
      expect(errorCode((await bed.api.delete(`/api/v1/phases/${execution}`)).body)).to.equal('PhaseInUse');
    });

    it('have budgets that can be changed, and nothing that only version 2 has', async () => {
      const { phaseId } = await bed.newProject();
      const changed = await bed.api.put(`/api/v1/phases/${phaseId}`, { capital_budget: 7 });
      expect(changed.body).to.include({ capital_budget: 7, total_budget: 7 });
      const { status, body } = await bed.api.put(`/api/v1/phases/${phaseId}`, { name: 'Discovery' });
      expect(status).to.equal(400);
      expect(errorMessage(body)).to.include('name');
    });
  });

  describe('assignments', () => {
    it('belong to the phase they name, whatever their day', async () => {
      const { id, phaseId } = await bed.newProject();
      const { status, body } = await bed.assign(id, '2030-01-01', { project_phase_id: phaseId });
      expect(status).to.equal(201);
      expect(field(body, 'phase')).to.deep.equal({ id: phaseId, name: 'Planning' });
      const { body: list } = await bed.api.get(`/api/v1/projects/${id}/assignments?from=2030-01-01`);
      expect(field(list, 'assignments')).to.deep.equal([body]);
    });

    it('are refused without a phase, or with one of another project', async () => {
      const [one, other] = [await bed.newProject(), await bed.newProject()];
      expect((await bed.assign(one.id, '2026-01-01')).status).to.equal(400);
      const { status, body } = await bed.assign(one.id, '2026-01-01', { project_phase_id: other.phaseId });
      expect([status, errorCode(body)]).to.deep.equal([404, 'NotFound']);
    });
  });

  describe('reports', () => {
    const phaseNames = (body: Json) => (field(body, 'phases') as Json[]).map((phase) => field(phase, 'phase.name'));

    it('cover every assignment, since each has a phase', async () => {
      const project = await bed.atlas();
      for (const report of ['budget-vs-actual', 'forecast']) {
        const { body } = await bed.api.get(`/api/v1/reports/${report}?project_id=${project}`);
        expect(phaseNames(body)).to.have.members(['Planning', 'Execution']);
        expect(field(body, 'project_total.budget.total')).to.equal(700_000);
        expect(field(body, 'outside_phases.assignments')).to.equal(0);
      }
    });

    it('count the assignments of one phase', async () => {
      const planning = field(await bed.phases(await bed.atlas()), 'phases.0.id') as string;
      const { body } = await bed.api.get(`/api/v1/reports/resource-utilization?phase_id=${planning}`);
      const counted = (field(body, 'resources') as { assignments: number }[]).map(({ assignments }) => assignments);
      const sql = `SELECT count(*) FROM resource_assignments WHERE project_phase_id = '${planning}'`;
      const expected = Number(await postgres.psql(sql, 'planner'));
      expect(expected).to.be.greaterThan(10);
      expect(counted.reduce((sum, n) => sum + n, 0)).to.equal(expected);
    });
  });

  it('answers probes without a token', async () => {
    const about = { version: '1.0.0', schema: '976e6adbac6f' };
    expect((await bed.stranger.get('/version')).body).to.deep.equal(about);
    expect((await bed.stranger.get('/readyz')).body).to.deep.equal({ status: 'ready', ...about });
    expect((await bed.stranger.get('/api/v1/status')).body).to.deep.equal({ status: 'ok', ...about });
    expect((await bed.stranger.get('/api/v1/projects')).status).to.equal(401);
  });
});
