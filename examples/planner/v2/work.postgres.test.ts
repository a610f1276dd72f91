import { expect } from 'chai';
import { startPostgres, type Postgres } from '../../../e2e/cluster/postgres.ts';
import { field } from '../api-client.ts';
import { createTestbed, type Testbed } from '../testbed.ts';
import { phasePath, threeMonths } from './fixtures.ts';
import { planner } from './planner.ts';

/** Sections 4, 5 and 8 of the staging checklist, as the role of the clients, beside the migrated seed data. */
describe('planner 2: assignments and reports', function () {
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

  describe('4. resource assignments', () => {
    it('of a migrated project are listed with the phase that covers their day', async () => {
      const project = await bed.atlas();
      const { body } = await bed.api.get(`/api/v1/projects/${project}/assignments?limit=1000`);
      const list = field(body, 'assignments') as { assignment_date: string; phase: { name: string } | null }[];
      const border = field(await bed.phases(project), 'phases.1.start_date') as string;
      expect(list.length).to.be.greaterThan(100);
      for (const { assignment_date: date, phase } of list) {
        const inside = date >= '2025-01-01' && date <= '2025-12-31';
        expect(phase?.name, date).to.equal(inside ? (date < border ? 'Planning' : 'Execution') : undefined);
      }
    });

    it('get the phase of their day when they are created', async () => {
      const { id, february } = await threeMonths(bed);
      const { status, body } = await bed.assign(id, '2026-02-14');
      expect(status).to.equal(201);
      expect(field(body, 'phase')).to.deep.equal({ id: february, name: 'February' });
      const listed = await bed.api.get(`/api/v1/projects/${id}/assignments?phase_id=${february}`);
      expect(field(listed.body, 'assignments')).to.deep.equal([body]);
    });

    it('are refused for a project or a resource that does not exist, and with more than a day', async () => {
      const { id, phaseId } = await bed.newProject();
      expect((await bed.assign(phaseId, '2026-02-14')).status).to.equal(404);
      expect((await bed.assign(id, '2026-02-14', { resource_id: id })).status).to.equal(404);
      expect((await bed.assign(id, '2026-02-14', { allocation_percentage: 101 })).status).to.equal(400);
    });
  });

  describe('5. reports', () => {
    /** Two phases of 31 and 28 days; 100 a day; one assignment in each, one outside, of which the first is over. */
    async function project(): Promise<string> {
      const { id, march } = await threeMonths(bed);
      await bed.api.delete(phasePath(march));
      const list = (await bed.phases(id)) as { phases: { id: string }[] };
      await bed.api.put(phasePath(list.phases[0]!.id), { capital_budget: 500, expense_budget: 250 });
      await bed.api.put(phasePath(list.phases[1]!.id), { capital_budget: 50 });
      const resource_id = await bed.newResource();
      const over = await bed.assign(id, '2026-01-10', { resource_id, capital_percentage: 50 });
      await bed.assign(id, '2026-01-11', { resource_id, capital_percentage: 20 });
      await bed.assign(id, '2026-02-10', { resource_id, capital_percentage: 75, allocation_percentage: 50 });
      await bed.assign(id, '2026-03-10', { resource_id });
      await postgres.psql(
        `INSERT INTO actuals (resource_assignment_id, capital_amount, expense_amount)
         VALUES ('${field(over.body, 'id') as string}', 60.10, 50.20)`,
        'planner',
      );
      return id;
    }

    it('budget vs actual: by phase, with the sum of the phases and what lies outside them', async () => {
      const id = await project();
      const { status, body } = await bed.api.get(`/api/v1/reports/budget-vs-actual?project_id=${id}`);
      expect(status).to.equal(200);
      expect(field(body, 'phases.0')).to.deep.include({
        assignments: 2,
        budget: { capital: 500, expense: 250, total: 750 },
        actual: { capital: 60.1, expense: 50.2, total: 110.3 },
        variance: { capital: 439.9, expense: 199.8, total: 639.7 },
      });
      expect(field(body, 'phases.1')).to.deep.include({
        assignments: 1,
        actual: { capital: 0, expense: 0, total: 0 },
        variance: { capital: 50, expense: 0, total: 50 },
      });
      expect(field(body, 'project_total')).to.deep.equal({
        budget: { capital: 550, expense: 250, total: 800 },
        actual: { capital: 60.1, expense: 50.2, total: 110.3 },
        variance: { capital: 489.9, expense: 199.8, total: 689.7 },
      });
      expect(field(body, 'outside_phases.assignments')).to.equal(1);
    });

    it('forecast: what is spent and what remains, by phase', async () => {
      const { body } = await bed.api.get(`/api/v1/reports/forecast?project_id=${await project()}`);
      expect(field(body, 'phases.0')).to.deep.include({
        remaining: { capital: 20, expense: 80, total: 100 },
        forecast: { capital: 80.1, expense: 130.2, total: 210.3 },
      });
      expect(field(body, 'phases.1')).to.deep.include({ forecast: { capital: 37.5, expense: 12.5, total: 50 } });
      expect(field(body, 'project_total.forecast')).to.deep.equal({ capital: 117.6, expense: 142.7, total: 260.3 });
      expect(field(body, 'outside_phases.forecast.total')).to.equal(100);
    });

    it('forecast: only of the days asked for', async () => {
      const path = `/api/v1/reports/forecast?project_id=${await project()}&from=2026-01-11&to=2026-02-28`;
      const { body } = await bed.api.get(path);
      expect(field(body, 'project_total.forecast.total')).to.equal(150);
      expect(field(body, 'outside_phases.assignments')).to.equal(0);
    });

    it('resource utilization: counted by resource, and of one phase where asked', async () => {
      const id = await project();
      const all = await bed.api.get(`/api/v1/reports/resource-utilization?project_id=${id}`);
      expect(field(all.body, 'resources.0')).to.include({
        name: 'Ann',
        assignments: 4,
        allocated_days: 3.5,
        average_allocation: 87.5,
      });
      const february = field(await bed.phases(id), 'phases.1.id') as string;
      const one = await bed.api.get(`/api/v1/reports/resource-utilization?phase_id=${february}`);
      expect(field(one.body, 'resources.0')).to.include({ assignments: 1, allocated_days: 0.5 });
    });

    it('of the migrated project add up to its budget and count all of its assignments', async () => {
      const id = await bed.atlas();
      const { body } = await bed.api.get(`/api/v1/reports/budget-vs-actual?project_id=${id}`);
      expect(field(body, 'project_total.budget')).to.deep.equal({ capital: 500_000, expense: 200_000, total: 700_000 });
      const counted = ['phases.0', 'phases.1', 'outside_phases'].map((part) => field(body, `${part}.assignments`));
      const all = await postgres.psql(
        `SELECT count(*) FROM resource_assignments WHERE project_id = '${id}'`,
        'planner',
      );
      expect(counted.reduce<number>((sum, n) => sum + (n as number), 0)).to.equal(Number(all));
    });
  });

  describe('8. edge cases', () => {
    it('a project with many phases, each a day', async () => {
      const { id, phaseId } = await bed.newProject('2026-01-01', '2026-01-12');
      await bed.api.put(phasePath(phaseId), { end_date: '2026-01-01' });
      for (let n = 2; n <= 12; n++) {
        const day = `2026-01-${String(n).padStart(2, '0')}`;
        const phase = { name: `Day ${n}`, start_date: day, end_date: day };
        expect((await bed.api.post(`/api/v1/projects/${id}/phases`, phase)).status).to.equal(201);
      }
      expect(field(await bed.phases(id), 'phases.length')).to.equal(12);
      expect(field((await bed.assign(id, '2026-01-12')).body, 'phase.name')).to.equal('Day 12');
      const report = await bed.api.get(`/api/v1/reports/forecast?project_id=${id}`);
      expect(field(report.body, 'phases.11.forecast.total')).to.equal(100);
    });

    it('assignments at the boundaries of phases, and outside them', async () => {
      const { id, january, february } = await threeMonths(bed);
      const phaseOf = async (day: string) => field((await bed.assign(id, day)).body, 'phase.id') ?? null;
      expect(await phaseOf('2026-01-01')).to.equal(january);
      expect(await phaseOf('2026-01-31')).to.equal(january);
      expect(await phaseOf('2026-02-01')).to.equal(february);
      expect(await phaseOf('2025-12-31')).to.equal(null);
      expect(await phaseOf('2026-04-01')).to.equal(null);
    });

    it('a single phase with zero budgets reports zeros', async () => {
      const { id } = await bed.newProject();
      const { body } = await bed.api.get(`/api/v1/reports/budget-vs-actual?project_id=${id}`);
      expect(field(body, 'project_total.variance')).to.deep.equal({ capital: 0, expense: 0, total: 0 });
    });
  });
});
