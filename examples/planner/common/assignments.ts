import type { Hono } from 'hono';
import type { Pool } from 'pg';
import { z } from 'zod';
import { rows, type Queryable } from './database.ts';
import { notFound } from './errors.ts';
import { day, id, pathId, percentage, query } from './input.ts';
import type { PhaseSql } from './phase-sql.ts';
import { findProject, page } from './projects.ts';

/** What every version wants to know of a new assignment. */
export const assignmentInput = {
  resource_id: id,
  assignment_date: day,
  allocation_percentage: percentage.default(100),
  capital_percentage: percentage.default(0),
};

const filters = z.strictObject({ from: day.optional(), to: day.optional(), phase_id: id.optional(), ...page });

/** Lists the assignments of a project, each with its phase (null for one on a day that no phase covers). */
export function assignmentListRoute(api: Hono, pool: Pool, phase: PhaseSql): void {
  api.get('/projects/:id/assignments', async (c) => {
    const { from, to, phase_id, limit, offset } = query(c, filters);
    const project = await findProject(pool, pathId(c));
    const assignments = await rows(
      pool,
      `${selectAssignments(phase)}
       WHERE ra.project_id = $1
         AND ra.assignment_date >= coalesce($2::date, '-infinity') AND ra.assignment_date <= coalesce($3::date, 'infinity')
         AND ($4::uuid IS NULL OR belonging.id = $4)
       ORDER BY ra.assignment_date, ra.id LIMIT $5 OFFSET $6`,
      [project.id, from, to, phase_id, limit, offset],
    );
    return c.json({ assignments });
  });
}

/** One assignment with its phase. */
export async function findAssignment(database: Queryable, phase: PhaseSql, assignmentId: string): Promise<object> {
  const [found] = await rows<object>(database, `${selectAssignments(phase)} WHERE ra.id = $1`, [assignmentId]);
  if (!found) throw notFound('assignment', assignmentId);
  return found;
}

/** @throws ApiError 404 when there is no such resource */
export async function requireResource(database: Queryable, resourceId: string): Promise<void> {
  const found = await rows(database, 'SELECT 1 FROM resources WHERE id = $1', [resourceId]);
  if (found.length === 0) throw notFound('resource', resourceId);
}

function selectAssignments(phase: PhaseSql): string {
  return `SELECT ra.id, ra.project_id, ra.resource_id, ra.assignment_date, ra.allocation_percentage,
      ra.capital_percentage,
      CASE WHEN belonging.id IS NOT NULL
        THEN json_build_object('id', belonging.id, 'name', belonging.name) END AS phase
    FROM resource_assignments ra
    LEFT JOIN LATERAL (
      SELECT ph.id, ${phase.name} AS name FROM project_phases ph
      WHERE ph.project_id = ra.project_id AND ${phase.contains}
      ORDER BY ${phase.order} LIMIT 1
    ) AS belonging ON true`;
}
