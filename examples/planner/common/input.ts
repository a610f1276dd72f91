import type { Context } from 'hono';
import { z } from 'zod';
import { ApiError } from './errors.ts';

/** The most that a numeric(15, 2) holds with room for a sum. */
const largestAmount = 1_000_000_000_000;

/** A day as 2026-01-31. */
export const day = z.iso.date('must be a day like 2026-01-31');
export const id = z.guid('must be the id of an object, like 3f2b8c1e-0000-4000-8000-000000000000');
export const name = (most: number) => z.string().trim().min(1, 'must not be empty').max(most);
export const amount = z.number().min(0, 'must not be negative').max(largestAmount);
export const percentage = z.number().min(0).max(100);

/** Budgets of a phase, each optional. */
export const budgets = {
  capital_budget: amount.optional(),
  expense_budget: amount.optional(),
  total_budget: amount.optional(),
};

export interface Budgets {
  capital_budget: number;
  expense_budget: number;
  total_budget: number;
}

/**
 * The budgets after a request, from what it sets and what was there before (nothing for a new phase).
 *
 * @throws ApiError 400 when the request gives a total that is not the sum of both
 */
export function completeBudgets(sent: Partial<Budgets>, before?: Budgets): Budgets {
  const capital = sent.capital_budget ?? before?.capital_budget ?? 0;
  const expense = sent.expense_budget ?? before?.expense_budget ?? 0;
  const sum = cents(capital) + cents(expense);
  if (sent.total_budget !== undefined && cents(sent.total_budget) !== sum)
    throw invalid(`total_budget must be capital_budget + expense_budget, which is ${sum / 100}`);
  return { capital_budget: capital, expense_budget: expense, total_budget: sum / 100 };
}

function cents(value: number): number {
  return Math.round(value * 100);
}

/** A new project. Both versions want its dates, without which it could not be migrated. */
export const projectInput = z
  .strictObject({ name: name(200), start_date: day, end_date: day })
  .refine((project) => project.start_date <= project.end_date, {
    path: ['end_date'],
    message: 'must not be before start_date',
  });

/** The body of a request. @throws ApiError 400 that names every field that is wrong */
export async function body<Shape extends z.ZodType>(c: Context, shape: Shape): Promise<z.infer<Shape>> {
  let sent: unknown;
  try {
    sent = await c.req.json();
  } catch {
    throw invalid('the request needs a body in JSON');
  }
  return check(shape, sent);
}

/** The query parameters of a request. @throws ApiError 400 that names every parameter that is wrong */
export function query<Shape extends z.ZodType>(c: Context, shape: Shape): z.infer<Shape> {
  return check(shape, c.req.query());
}

/** The id in the path. @throws ApiError 400 when it is none */
export function pathId(c: Context): string {
  return check(z.object({ id }), { id: c.req.param('id') }).id;
}

function check<Shape extends z.ZodType>(shape: Shape, sent: unknown): z.infer<Shape> {
  const result = shape.safeParse(sent);
  if (result.success) return result.data;
  throw invalid(
    result.error.issues.map(({ path, message }) => [path.join('.'), message].filter(Boolean).join(': ')).join('; '),
  );
}

function invalid(what: string): ApiError {
  return new ApiError(400, 'InvalidInput', `The request cannot be used: ${what}.`);
}
