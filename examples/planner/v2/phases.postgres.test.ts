import { expect } from 'chai';
import { Client } from 'pg';
import { startPostgres, type Postgres } from '../../../e2e/cluster/postgres.ts';
import { errorCode, errorMessage, field, type Json } from '../api-client.ts';
import { createTestbed, type Testbed } from '../testbed.ts';
import { phasePath, threeMonths } from './fixtures.ts';
import { planner } from './planner.ts';

/** Sections 2, 3 and 6 of the staging checklist, as the role of the clients, beside the migrated seed data. */
describe('planner 2: phases', function () {
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

  describe('2. phases of a migrated project', () => {
    it('are called Planning and Execution, follow each other, and span the project with their budgets', async () => {
      const project = await bed.atlas();
      const body = await bed.phases(project);
      expect(field(body, 'phases.0')).to.include({
        project_id: project,
        name: 'Planning',
        description: null,
        start_date: '2025-01-01',
        capital_budget: 100_000,
        expense_budget: 50_000,
        total_budget: 150_000,
      });
      expect(field(body, 'phases.1')).to.include({ name: 'Execution', end_date: '2025-12-31', total_budget: 550_000 });
      expect(field(body, 'phases.2')).to.equal(undefined);
    });
  });

  describe('3. creating a project', () => {
    it('makes one default phase that spans the project and has zero budgets', async () => {
      const { id } = await bed.newProject('2026-02-03', '2026-08-09');
      expect((await bed.api.get(`/api/v1/projects/${id}`)).body).to.include({ name: 'New', start_date: '2026-02-03' });
      const body = await bed.phases(id);
      expect(field(body, 'phases.length')).to.equal(1);
      expect(field(body, 'phases.0')).to.include({
        name: 'Default Phase',
        start_date: '2026-02-03',
        end_date: '2026-08-09',
        capital_budget: 0,
        expense_budget: 0,
        total_budget: 0,
      });
    });

    it('is refused without dates, and with dates out of order', async () => {
      const missing = await bed.api.post('/api/v1/projects', { name: 'New' });
      expect(missing.status).to.equal(400);
      expect(errorMessage(missing.body)).to.match(/start_date: .*end_date: /);
      const backwards = await bed.api.post('/api/v1/projects', {
        name: 'New',
        start_date: '2026-02-01',
        end_date: '2026-01-01',
      });
      expect(errorMessage(backwards.body)).to.match(/end_date: must not be before start_date/);
    });
  });

  describe('3. adding a phase', () => {
    it('with valid dates succeeds, and budgets are those of the request', async () => {
      const { id, phaseId } = await bed.newProject('2026-01-01', '2026-03-31');
      await bed.api.put(phasePath(phaseId), { end_date: '2026-01-31' });
      const { status, body } = await bed.api.post(`/api/v1/projects/${id}/phases`, {
        name: 'Test Phase',
        start_date: '2026-02-01',
        end_date: '2026-03-31',
        capital_budget: 10_000,
        expense_budget: 5000,
        total_budget: 15_000,
      });
      expect(status).to.equal(201);
      expect(body).to.include({ project_id: id, name: 'Test Phase', end_date: '2026-03-31', total_budget: 15_000 });
      expect(field(await bed.phases(id), 'phases.1')).to.deep.equal(body);
    });

    const refused: [what: string, code: string, dates: { start_date: string; end_date: string }][] = [
      ['that leaves a gap', 'GapBetweenPhases', { start_date: '2026-02-02', end_date: '2026-03-31' }],
      ['that overlaps', 'PhasesOverlap', { start_date: '2026-01-31', end_date: '2026-03-31' }],
      ['outside the project', 'PhaseOutsideProject', { start_date: '2026-02-01', end_date: '2026-04-01' }],
      ['that ends before it begins', 'DatesOutOfOrder', { start_date: '2026-02-02', end_date: '2026-02-01' }],
    ];
    for (const [what, code, dates] of refused)
      it(`${what} is refused with 409 ${code} and adds nothing`, async () => {
        const { id, phaseId } = await bed.newProject('2026-01-01', '2026-03-31');
        await bed.api.put(phasePath(phaseId), { end_date: '2026-01-31' });
        const { status, body } = await bed.api.post(`/api/v1/projects/${id}/phases`, { name: 'Late', ...dates });
        expect([status, errorCode(body)]).to.deep.equal([409, code]);
        expect(errorMessage(body)).to.include('"Late"');
        expect(field(await bed.phases(id), 'phases.length')).to.equal(1);
      });

    it('two that overlap at the same moment: one is refused', async () => {
      const { id, phaseId } = await bed.newProject('2026-01-01', '2026-03-31');
      await bed.api.put(phasePath(phaseId), { end_date: '2026-01-31' });
      const holder = new Client({ connectionString: postgres.adminUrl('planner') });
      await holder.connect();
      await holder.query('BEGIN');
      await holder.query('SELECT FROM projects WHERE id = $1 FOR UPDATE', [id]);
      const late = { name: 'Late', start_date: '2026-02-01', end_date: '2026-02-28' };
      const both = [late, late].map((phase) => bed.api.post(`/api/v1/projects/${id}/phases`, phase));
      const waiting = `SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'`;
      while ((await postgres.psql(waiting)) !== '2');
      await holder.end();
      const answers = await Promise.all(both);
      expect(answers.map(({ status }) => status).sort()).to.deep.equal([201, 409]);
    });
  });

  describe('3. updating a phase', () => {
    it('changes its name, dates, description and budgets, each alone', async () => {
      const { phaseId } = await bed.newProject();
      const path = phasePath(phaseId);
      expect((await bed.api.put(path, { name: 'Updated Phase Name' })).body).to.include({
        name: 'Updated Phase Name',
        start_date: '2026-01-01',
      });
      expect((await bed.api.put(path, { start_date: '2026-01-15' })).body).to.include({ start_date: '2026-01-15' });
      expect((await bed.api.put(path, { description: 'Why' })).body).to.include({ description: 'Why' });
      const { status, body } = await bed.api.put(path, { capital_budget: 0.1, expense_budget: 0.2 });
      expect(status).to.equal(200);
      expect(body).to.include({ name: 'Updated Phase Name', description: 'Why', total_budget: 0.3 });
    });

    it('is refused where its dates would leave a gap or overlap, and changes nothing', async () => {
      const { id, february } = await threeMonths(bed);
      const before = await bed.phases(id);
      const gap = await bed.api.put(phasePath(february), { end_date: '2026-02-27' });
      expect([gap.status, errorCode(gap.body)]).to.deep.equal([409, 'GapBetweenPhases']);
      const overlap = await bed.api.put(phasePath(february), { start_date: '2026-01-31' });
      expect([overlap.status, errorCode(overlap.body)]).to.deep.equal([409, 'PhasesOverlap']);
      expect(await bed.phases(id)).to.deep.equal(before);
    });

    it('is refused with a total that is not the sum, a negative budget, an empty name or an unknown field', async () => {
      const { phaseId } = await bed.newProject();
      const wrong: [Json, RegExp][] = [
        [{ total_budget: 1 }, /total_budget must be capital_budget \+ expense_budget, which is 0/],
        [{ capital_budget: -1 }, /capital_budget: must not be negative/],
        [{ name: ' ' }, /name: must not be empty/],
        [{ end_date: '2026-02-30' }, /end_date: must be a day like/],
        [{ phase_type: 'planning' }, /phase_type/],
      ];
      for (const [body, message] of wrong) {
        const answer = await bed.api.put(phasePath(phaseId), body);
        expect([answer.status, errorCode(answer.body)]).to.deep.equal([400, 'InvalidInput']);
        expect(errorMessage(answer.body)).to.match(message);
      }
    });
  });

  describe('3. deleting a phase', () => {
    it('is refused where it would leave a gap', async () => {
      const { february } = await threeMonths(bed);
      const { status, body } = await bed.api.delete(phasePath(february));
      expect([status, errorCode(body)]).to.deep.equal([409, 'GapBetweenPhases']);
    });

    it('succeeds for the last and the first in time, and is refused for the only one left', async () => {
      const { id, january, february, march } = await threeMonths(bed);
      expect((await bed.api.delete(phasePath(march))).status).to.equal(204);
      expect((await bed.api.delete(phasePath(january))).status).to.equal(204);
      const { status, body } = await bed.api.delete(phasePath(february));
      expect([status, errorCode(body)]).to.deep.equal([409, 'LastPhase']);
      expect(field(await bed.phases(id), 'phases.length')).to.equal(1);
    });

    it('answers 404 the second time', async () => {
      const { march } = await threeMonths(bed);
      await bed.api.delete(phasePath(march));
      expect((await bed.api.delete(phasePath(march))).status).to.equal(404);
    });
  });

  describe('6. the API', () => {
    it('wants the token, and says so', async () => {
      const stranger = await bed.stranger.get('/api/v1/projects');
      expect([stranger.status, errorCode(stranger.body)]).to.deep.equal([401, 'Unauthorized']);
      const liar = await bed.withToken('guess').post('/api/v1/projects', {});
      expect([liar.status, errorMessage(liar.body)]).to.deep.equal([401, 'The token is not the right one.']);
    });

    it('answers probes without it', async () => {
      const { stranger } = bed;
      const about = { version: '2.0.0', schema: '92023c163a26' };
      expect((await stranger.get('/healthz')).body).to.deep.equal({ status: 'alive' });
      expect((await stranger.get('/version')).body).to.deep.equal(about);
      expect((await stranger.get('/readyz')).body).to.deep.equal({ status: 'ready', ...about });
      expect((await stranger.get('/api/v1/status')).body).to.deep.equal({ status: 'ok', ...about });
    });

    it('says what is wrong with a request', async () => {
      const unknown = '00000000-0000-4000-8000-000000000000';
      const wrong: [number, string, Promise<{ status: number; body: Json }>][] = [
        [404, 'NotFound', bed.api.get('/api/v1/nothing')],
        [404, 'NotFound', bed.api.get(`/api/v1/projects/${unknown}/phases`)],
        [404, 'NotFound', bed.api.put(phasePath(unknown), {})],
        [404, 'NotFound', bed.api.delete(phasePath(unknown))],
        [400, 'InvalidInput', bed.api.get('/api/v1/projects/1/phases')],
        [400, 'InvalidInput', bed.api.get('/api/v1/projects?limit=0')],
        [400, 'InvalidInput', bed.api.send('POST', '/api/v1/projects')],
        [413, 'TooLarge', bed.api.post('/api/v1/projects', { name: 'x'.repeat(70_000) })],
      ];
      for (const [status, code, answer] of wrong) {
        const { body, ...rest } = await answer;
        expect([rest.status, errorCode(body)]).to.deep.equal([status, code]);
        expect(errorMessage(body)).to.match(/^[A-Z].*\.$/);
      }
    });
  });
});
