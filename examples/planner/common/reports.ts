import type { Hono } from 'hono';
import type { Pool } from 'pg';
import { z } from 'zod';
import { rows } from './database.ts';
import { day, id, query } from './input.ts';
import type { PhaseSql } from './phase-sql.ts';
import { findProject } from './projects.ts';

/** Capital, expense and their sum. */
interface Split {
  capital: number;
  expense: number;
  total: number;
}

interface PhaseCosts {
  id: string | null;
  name: string;
  assignments: number;
  capital_budget: number;
  expense_budget: number;
  capital_actual: number;
  expense_actual: number;
  capital_remaining: number;
  expense_remaining: number;
}

const period = { from: day.optional(), to: day.optional() };
const projectReport = z.strictObject({ project_id: id, ...period });
const utilizationReport = z.strictObject({ project_id: id.optional(), phase_id: id.optional(), ...period });

/**
 * The three reports. Costs of an assignment are actual as soon as actuals are recorded; until then what remains to be
 * spent is the daily rate of its resource times the allocation. `from` and `to` restrict the days of assignments.
 * What belongs to no phase is counted apart, under `outside_phases`, so that it is seen and yet in no phase's sum.
 */
export function reportRoutes(api: Hono, pool: Pool, phase: PhaseSql): void {
  api.get('/reports/budget-vs-actual', async (c) => {
    const input = query(c, projectReport);
    const { phases, outside, project } = await costs(pool, phase, input);
    return c.json({
      project,
      phases: phases.map((costs) => ({ ...heading(costs), ...budgetVersusActual([costs]) })),
      project_total: budgetVersusActual(phases),
      outside_phases: { assignments: outside.assignments, actual: actual([outside]) },
    });
  });

  api.get('/reports/forecast', async (c) => {
    const input = query(c, projectReport);
    const { phases, outside, project } = await costs(pool, phase, input);
    return c.json({
      project,
      phases: phases.map((costs) => ({ ...heading(costs), ...forecast([costs]) })),
      project_total: forecast(phases),
      outside_phases: { assignments: outside.assignments, forecast: plus(actual([outside]), remaining([outside])) },
    });
  });

  api.get('/reports/resource-utilization', async (c) => {
    const input = query(c, utilizationReport);
    return c.json({ resources: await rows(pool, utilizationSql(phase), periodAnd(input, input.phase_id)) });
  });
}

function heading({ id, name, assignments }: PhaseCosts) {
  return { phase: { id, name }, assignments };
}

function budgetVersusActual(phases: PhaseCosts[]) {
  return { budget: budget(phases), actual: actual(phases), variance: minus(budget(phases), actual(phases)) };
}

function forecast(phases: PhaseCosts[]) {
  const expected = plus(actual(phases), remaining(phases));
  return {
    budget: budget(phases),
    actual: actual(phases),
    remaining: remaining(phases),
    forecast: expected,
    variance: minus(budget(phases), expected),
  };
}

const budget = (phases: PhaseCosts[]) => sum(phases, 'capital_budget', 'expense_budget');
const actual = (phases: PhaseCosts[]) => sum(phases, 'capital_actual', 'expense_actual');
const remaining = (phases: PhaseCosts[]) => sum(phases, 'capital_remaining', 'expense_remaining');

type Amount = `${'capital' | 'expense'}_${'budget' | 'actual' | 'remaining'}`;

function sum(phases: PhaseCosts[], capital: Amount, expense: Amount): Split {
  const add = (column: Amount) => phases.reduce((total, phase) => total + phase[column], 0);
  return split(add(capital), add(expense));
}

const plus = (a: Split, b: Split) => split(a.capital + b.capital, a.expense + b.expense);
const minus = (a: Split, b: Split) => split(a.capital - b.capital, a.expense - b.expense);

/** Whole cents: sums of binary fractions would show as 0.30000000000000004. */
function split(capital: number, expense: number): Split {
  const round = (value: number) => Math.round(value * 100) / 100;
  return { capital: round(capital), expense: round(expense), total: round(capital + expense) };
}

async function costs(pool: Pool, phase: PhaseSql, input: z.infer<typeof projectReport>) {
  const project = await findProject(pool, input.project_id);
  const found = await rows<PhaseCosts>(pool, costsSql(phase), periodAnd(input));
  const outside = found.find(({ id }) => id === null);
  if (!outside) throw new Error('The query for costs always has a row for assignments without a phase.');
  return { project, outside, phases: found.filter(({ id }) => id !== null) };
}

function periodAnd(input: { project_id?: string; from?: string; to?: string }, ...more: unknown[]): unknown[] {
  return [input.project_id, input.from, input.to, ...more];
}

const inPeriod = `ra.assignment_date >= coalesce($2::date, '-infinity')
  AND ra.assignment_date <= coalesce($3::date, 'infinity')`;

/** Days that were recorded cost what was recorded; the others what they are planned to. */
const assignmentCosts = `
  SELECT count(*) AS assignments,
    coalesce(sum(done.capital), 0) AS capital_actual,
    coalesce(sum(done.expense), 0) AS expense_actual,
    coalesce(sum(planned.cost * ra.capital_percentage / 100) FILTER (WHERE done.records = 0), 0) AS capital_remaining,
    coalesce(sum(planned.cost * (100 - ra.capital_percentage) / 100) FILTER (WHERE done.records = 0), 0)
      AS expense_remaining
  FROM resource_assignments ra
  JOIN resources r ON r.id = ra.resource_id
  CROSS JOIN LATERAL (SELECT r.daily_rate * ra.allocation_percentage / 100 AS cost) AS planned
  CROSS JOIN LATERAL (
    SELECT count(*) AS records, sum(capital_amount) AS capital, sum(expense_amount) AS expense
    FROM actuals WHERE resource_assignment_id = ra.id
  ) AS done`;

function costsSql(phase: PhaseSql): string {
  return `
    SELECT ph.id, ${phase.name} AS name, ph.capital_budget, ph.expense_budget, costs.*
    FROM project_phases ph
    CROSS JOIN LATERAL (
      ${assignmentCosts} WHERE ra.project_id = ph.project_id AND ${phase.contains} AND ${inPeriod}
    ) AS costs
    WHERE ph.project_id = $1
    UNION ALL
    SELECT NULL, '', 0, 0, costs.*
    FROM (
      ${assignmentCosts}
      WHERE ra.project_id = $1 AND ${inPeriod} AND NOT EXISTS (
        SELECT FROM project_phases ph WHERE ph.project_id = ra.project_id AND ${phase.contains})
    ) AS costs`;
}

function utilizationSql(phase: PhaseSql): string {
  return `
    SELECT r.id, r.name, count(*) AS assignments,
      sum(ra.allocation_percentage) / 100 AS allocated_days,
      round(avg(ra.allocation_percentage), 2) AS average_allocation
    FROM resource_assignments ra
    JOIN resources r ON r.id = ra.resource_id
    WHERE ($1::uuid IS NULL OR ra.project_id = $1) AND ${inPeriod}
      AND ($4::uuid IS NULL OR EXISTS (
        SELECT FROM project_phases ph
        WHERE ph.id = $4 AND ph.project_id = ra.project_id AND ${phase.contains}))
    GROUP BY r.id, r.name
    ORDER BY r.name, r.id`;
}
