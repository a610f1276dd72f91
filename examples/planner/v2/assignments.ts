import type { Hono } from 'hono';
import type { Pool } from 'pg';
import { z } from 'zod';
import { assignmentInput, assignmentListRoute, findAssignment, requireResource } from '../common/assignments.ts';
import { rows, transaction } from '../common/database.ts';
import { body, pathId } from '../common/input.ts';
import { findProject } from '../common/projects.ts';
import { phaseSql } from './phases.ts';

const newAssignment = z.strictObject(assignmentInput);

/** Assignments of version 2 belong to the phase that covers their day; on any other day they have none. */
export function assignmentRoutes(api: Hono, pool: Pool): void {
  assignmentListRoute(api, pool, phaseSql);

  api.post('/projects/:id/assignments', async (c) => {
    const input = await body(c, newAssignment);
    const projectId = pathId(c);
    const created = await transaction(pool, async (database) => {
      await findProject(database, projectId);
      await requireResource(database, input.resource_id);
      const [inserted] = await rows<{ id: string }>(
        database,
        `INSERT INTO resource_assignments
           (project_id, resource_id, assignment_date, allocation_percentage, capital_percentage)
         VALUES ($1, $2, $3, $4, $5) RETURNING id`,
        [projectId, input.resource_id, input.assignment_date, input.allocation_percentage, input.capital_percentage],
      );
      return findAssignment(database, phaseSql, inserted!.id);
    });
    return c.json(created, 201);
  });
}
