import type { Hono } from 'hono';
import type { Pool } from 'pg';
import { z } from 'zod';
import { rows, transaction, type Queryable } from '../common/database.ts';
import { ApiError, notFound } from '../common/errors.ts';
import { body, budgets, completeBudgets, pathId, type Budgets } from '../common/input.ts';
import type { PhaseSql } from '../common/phase-sql.ts';
import { findProject, type Project } from '../common/projects.ts';

export interface Phase extends Budgets {
  id: string;
  project_id: string;
  phase_type: 'planning' | 'execution';
}

export const phaseSql: PhaseSql = {
  name: 'initcap(ph.phase_type::text)',
  contains: 'ra.project_phase_id = ph.id',
  order: 'ph.phase_type, ph.created_at, ph.id',
};

const phaseColumns = 'ph.id, ph.project_id, ph.phase_type, ph.capital_budget, ph.expense_budget, ph.total_budget';
const newPhase = z.strictObject({ phase_type: z.enum(['planning', 'execution']), ...budgets });
const changedPhase = z.strictObject(budgets);

/** A new project has both phases, without budgets. */
export async function addInitialPhases(database: Queryable, project: Project): Promise<Phase[]> {
  return rows<Phase>(
    database,
    `INSERT INTO project_phases AS ph (project_id, phase_type)
     VALUES ($1, 'planning'), ($1, 'execution') RETURNING ${phaseColumns}`,
    [project.id],
  );
}

/** Phases of version 1: a project has Planning, Execution or both, one of each at most. */
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
      const existing = await phasesOf(database, projectId);
      if (existing.some(({ phase_type }) => phase_type === input.phase_type))
        throw new ApiError(409, 'PhaseExists', `The project "${project.name}" already has its ${input.phase_type}.`);
      return insertPhase(database, projectId, input.phase_type, completeBudgets(input));
    });
    return c.json(created, 201);
  });

  api.put('/phases/:id', async (c) => {
    const input = await body(c, changedPhase);
    const id = pathId(c);
    const changed = await transaction(pool, async (database) => {
      const phase = await lockPhase(database, id);
      const next = completeBudgets(input, phase);
      const [updated] = await rows<Phase>(
        database,
        `UPDATE project_phases ph SET capital_budget = $2, expense_budget = $3, total_budget = $4
         WHERE id = $1 RETURNING ${phaseColumns}`,
        [id, next.capital_budget, next.expense_budget, next.total_budget],
      );
      return updated!;
    });
    return c.json(changed);
  });

  api.delete('/phases/:id', async (c) => {
    const id = pathId(c);
    await transaction(pool, (database) => deletePhase(database, id));
    return c.body(null, 204);
  });
}

function phasesOf(database: Queryable, projectId: string): Promise<Phase[]> {
  const sql = `SELECT ${phaseColumns} FROM project_phases ph WHERE ph.project_id = $1 ORDER BY ${phaseSql.order}`;
  return rows<Phase>(database, sql, [projectId]);
}

/** The phase, its project locked first: in this order everywhere, so that two requests never wait for each other. */
async function lockPhase(database: Queryable, id: string): Promise<Phase> {
  const sql = `SELECT ${phaseColumns} FROM project_phases ph WHERE ph.id = $1`;
  const [found] = await rows<Phase>(database, sql, [id]);
  if (!found) throw notFound('phase', id);
  await findProject(database, found.project_id, true);
  const [locked] = await rows<Phase>(database, sql, [id]);
  if (!locked) throw notFound('phase', id);
  return locked;
}

async function insertPhase(database: Queryable, projectId: string, type: string, budget: Budgets): Promise<Phase> {
  const [phase] = await rows<Phase>(
    database,
    `INSERT INTO project_phases AS ph (project_id, phase_type, capital_budget, expense_budget, total_budget)
     VALUES ($1, $2, $3, $4, $5) RETURNING ${phaseColumns}`,
    [projectId, type, budget.capital_budget, budget.expense_budget, budget.total_budget],
  );
  return phase!;
}

async function deletePhase(database: Queryable, id: string): Promise<void> {
  const phase = await lockPhase(database, id);
  const existing = await phasesOf(database, phase.project_id);
  if (existing.length === 1) throw new ApiError(409, 'LastPhase', 'The last phase of a project cannot be deleted.');
  const used = await rows(database, 'SELECT 1 FROM resource_assignments WHERE project_phase_id = $1 LIMIT 1', [id]);
  if (used.length > 0) throw new ApiError(409, 'PhaseInUse', 'A phase with assignments cannot be deleted.');
  await database.query('DELETE FROM project_phases WHERE id = $1', [id]);
}
