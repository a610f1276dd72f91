import type { Hono } from 'hono';
import type { Pool } from 'pg';
import { z } from 'zod';
import { rows, transaction, type Queryable } from './database.ts';
import { notFound } from './errors.ts';
import { amount, body, name, pathId, projectInput, query } from './input.ts';

export interface Project {
  id: string;
  name: string;
  start_date: string | null;
  end_date: string | null;
}

const projectColumns = 'id, name, start_date, end_date';
export const page = {
  limit: z.coerce.number().int().min(1).max(1000).default(100),
  offset: z.coerce.number().int().min(0).default(0),
};

/**
 * The project with this id.
 *
 * @param lock whether nobody else may change the project or its phases before the transaction ends
 * @throws ApiError 404
 */
export async function findProject(database: Queryable, id: string, lock = false): Promise<Project> {
  const sql = `SELECT ${projectColumns} FROM projects WHERE id = $1 ${lock ? 'FOR UPDATE' : ''}`;
  const [project] = await rows<Project>(database, sql, [id]);
  if (!project) throw notFound('project', id);
  return project;
}

/** Routes of projects; `addPhases` gives a new project the phases that this version starts with, and returns them. */
export function projectRoutes(
  api: Hono,
  pool: Pool,
  addPhases: (database: Queryable, project: Project) => Promise<unknown[]>,
): void {
  api.get('/projects', async (c) => {
    const { limit, offset } = query(c, z.strictObject(page));
    const sql = `SELECT ${projectColumns} FROM projects ORDER BY name, id LIMIT $1 OFFSET $2`;
    return c.json({ projects: await rows<Project>(pool, sql, [limit, offset]) });
  });

  api.post('/projects', async (c) => {
    const input = await body(c, projectInput);
    const created = await transaction(pool, async (database) => {
      const sql = `INSERT INTO projects (name, start_date, end_date) VALUES ($1, $2, $3) RETURNING ${projectColumns}`;
      const [project] = await rows<Project>(database, sql, [input.name, input.start_date, input.end_date]);
      return { ...project!, phases: await addPhases(database, project!) };
    });
    return c.json(created, 201);
  });

  api.get('/projects/:id', async (c) => c.json(await findProject(pool, pathId(c))));
}

const resourceInput = z.strictObject({ name: name(200), daily_rate: amount.max(99_999_999).default(0) });

/** Routes of resources, the same in every version. */
export function resourceRoutes(api: Hono, pool: Pool): void {
  api.get('/resources', async (c) => {
    const { limit, offset } = query(c, z.strictObject(page));
    const sql = 'SELECT id, name, daily_rate FROM resources ORDER BY name, id LIMIT $1 OFFSET $2';
    return c.json({ resources: await rows(pool, sql, [limit, offset]) });
  });

  api.post('/resources', async (c) => {
    const input = await body(c, resourceInput);
    const sql = 'INSERT INTO resources (name, daily_rate) VALUES ($1, $2) RETURNING id, name, daily_rate';
    const [resource] = await rows<object>(pool, sql, [input.name, input.daily_rate]);
    return c.json(resource!, 201);
  });
}
