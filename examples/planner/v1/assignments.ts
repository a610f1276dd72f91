import type { Hono } from 'hono';
import type { Pool } from 'pg';
import { z } from 'zod';
import { assignmentInput, assignmentListRoute, findAssignment, requireResource } from '../common/assignments.ts';
import { rows, transaction } from '../common/database.ts';
import { notFound } from '../common/errors.ts';
import { body, id, pathId } from '../common/input.ts';
import { findProject } from '../common/projects.ts';
import { phaseSql } from './phases.ts';

const newAssignment = z.strictObject({ ...assignmentInput, project_phase_id: id });

/** Assignments of version 1 point to their phase, whatever their day. */
export function assignmentRoutes(api: Hono, pool: Pool): void {
  assignmentListRoute(api, pool, phaseSql);

  api.post('/projects/:id/assignments', async (c) => {
    const input = await body(c, newAssignment);
    const projectId = pathId(c);
    const created = await transaction(pool, async (database) => {
      // Locked, so that the phase cannot be deleted before the assignment is there.
      await findProject(database, projectId, true);
      await requireResource(database, input.resource_id);
      const own = 'SELECT 1 FROM project_phases WHERE id = $1 AND project_id = $2';
      if ((await rows(database, own, [input.project_phase_id, projectId])).length === 0)
        throw notFound('phase of this project', input.project_phase_id);
      const [inserted] = await rows<{ id: string }>(
        database,
        `INSERT INTO resource_assignments (project_id, resource_id, project_phase_id, assignment_date,
           allocation_percentage, capital_percentage)
         VALUES ($1, $2, $3, $4, $5, $6) RETURNING id`,
        [
          projectId,
          input.resource_id,
          input.project_phase_id,
          input.assignment_date,
          input.allocation_percentage,
          input.capital_percentage,
        ],
      );
      return findAssignment(database, phaseSql, inserted!.id);
    });
    return c.json(created, 201);
  });
}
