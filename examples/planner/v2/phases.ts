import type { Hono } from 'hono';
import type { Pool } from 'pg';
import { z } from 'zod';
import { rows, transaction, type Queryable } from '../common/database.ts';
import { ApiError, notFound } from '../common/errors.ts';
import { body, budgets, completeBudgets, day, name, pathId, type Budgets } from '../common/input.ts';
import type { PhaseSql } from '../common/phase-sql.ts';
import { findProject, type Project } from '../common/projects.ts';
import { timelineProblem, type Span } from './timeline.ts';

export interface Phase extends Span, Budgets {
  id: string;
  project_id: string;
  description: string | null;
}

export const phaseSql: PhaseSql = {
  name: 'ph.name',
  contains: 'ra.assignment_date BETWEEN ph.start_date AND ph.end_date',
  order: 'ph.start_date, ph.end_date, ph.id',
};

const phaseColumns = `ph.id, ph.project_id, ph.name, ph.description, ph.start_date, ph.end_date,
  ph.capital_budget, ph.expense_budget, ph.total_budget`;
const description = z.string().max(10_000).nullable();
const newPhase = z.strictObject({
  name: name(100),
  description: description.default(null),
  start_date: day,
  end_date: day,
  ...budgets,
});
const changedPhase = z.strictObject({
  name: name(100).optional(),
  description: description.optional(),
  start_date: day.optional(),
  end_date: day.optional(),
  ...budgets,
});

/** A new project has one phase, which spans it and has no budget. */
export async function addInitialPhases(database: Queryable, project: Project): Promise<Phase[]> {
  const span = {
    name: 'Default Phase',
    description: null,
    start_date: project.start_date!,
    end_date: project.end_date!,
  };
  return [await insertPhase(database, { ...span, project_id: project.id, ...completeBudgets({}) })];
}

/** Phases of version 2: users name and date them; timelineProblem says which sets of them a project may have. */
export function phaseRoutes(api: Hono, pool: Pool): void {
  api.get('/projects/:id/phases', async (c) => {
    const project = await findProject(pool, pathId(c));
    return c.json({ phases: await phasesOf(pool, project.id) });
  });

  api.post('/projects/:id/phases', async (c) => {
    const input = await body(c, newPhase);
    const projectId = pathId(c);
    const created = await transaction(pool, async (database) => {
      const project = await findProject(database, projectId, true);
      refuse(project, [...(await phasesOf(database, projectId)), input]);
      return insertPhase(database, { ...input, project_id: projectId, ...completeBudgets(input) });
    });
    return c.json(created, 201);
  });

  api.put('/phases/:id', async (c) => {
    const input = await body(c, changedPhase);
    const id = pathId(c);
    return c.json(await transaction(pool, (database) => changePhase(database, id, input)));
  });

  api.delete('/phases/:id', async (c) => {
    const id = pathId(c);
    await transaction(pool, async (database) => {
      const { project, siblings } = await lockPhase(database, id);
      refuse(project, siblings);
      await database.query('DELETE FROM project_phases WHERE id = $1', [id]);
    });
    return c.body(null, 204);
  });
}

function refuse(project: Project, phases: Span[]): void {
  const problem = timelineProblem(project, phases);
  if (problem) throw new ApiError(409, problem.code, problem.message);
}

function phasesOf(database: Queryable, projectId: string): Promise<Phase[]> {
  const sql = `SELECT ${phaseColumns} FROM project_phases ph WHERE ph.project_id = $1 ORDER BY ${phaseSql.order}`;
  return rows<Phase>(database, sql, [projectId]);
}

/** The phase, its project and the other phases, all locked through the project, so that two changes see each other. */
async function lockPhase(database: Queryable, id: string) {
  const sql = 'SELECT project_id FROM project_phases WHERE id = $1';
  const [found] = await rows<{ project_id: string }>(database, sql, [id]);
  if (!found) throw notFound('phase', id);
  const project = await findProject(database, found.project_id, true);
  const all = await phasesOf(database, project.id);
  const phase = all.find((candidate) => candidate.id === id);
  if (!phase) throw notFound('phase', id);
  return { project, phase, siblings: all.filter((candidate) => candidate.id !== id) };
}

async function insertPhase(database: Queryable, phase: Omit<Phase, 'id'>): Promise<Phase> {
  const [inserted] = await rows<Phase>(
    database,
    `INSERT INTO project_phases AS ph
       (project_id, name, description, start_date, end_date, capital_budget, expense_budget, total_budget)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING ${phaseColumns}`,
    [phase.project_id, ...columnsOf(phase)],
  );
  return inserted!;
}

async function changePhase(database: Queryable, id: string, input: z.infer<typeof changedPhase>): Promise<Phase> {
  const { project, phase, siblings } = await lockPhase(database, id);
  const next = { ...phase, ...input, ...completeBudgets(input, phase) };
  // Only where dates move: a name can be corrected even on a timeline that was never valid.
  if (next.start_date !== phase.start_date || next.end_date !== phase.end_date) refuse(project, [...siblings, next]);
  const [updated] = await rows<Phase>(
    database,
    `UPDATE project_phases ph SET name = $2, description = $3, start_date = $4, end_date = $5,
       capital_budget = $6, expense_budget = $7, total_budget = $8
     WHERE id = $1 RETURNING ${phaseColumns}`,
    [id, ...columnsOf(next)],
  );
  return updated!;
}

function columnsOf(phase: Omit<Phase, 'id'>): unknown[] {
  return [
    phase.name,
    phase.description,
    phase.start_date,
    phase.end_date,
    phase.capital_budget,
    phase.expense_budget,
    phase.total_budget,
  ];
}
