-- The planner's data before the migration 92023c163a26 (schema 976e6adbac6f), the same rows every time.
--
-- By default: 5 projects with 8 phases (Planning 3, Execution 5), a budget of 2,800,000 in total, and 1,011
-- assignments, of which 591 lie within the dates of their project and 420 before or after them. Larger, with the same
-- 591 in 1,011 within (the settings have to be made in the session that reads this file; see scale-1000000.sql):
--   planner.assignments             how many assignments; default 1011
--   planner.projects                how many projects; default 5
--   planner.projects_with_planning  how many of them, the first ones, have a planning phase too; default 3
--
-- Plain SQL without psql's own commands, so that any client can send it. Rows that are there already stay as they are.

BEGIN;

-- Compiling these statements takes longer than running them.
SET LOCAL jit = off;

CREATE TEMPORARY TABLE seed_size ON COMMIT DROP AS
SELECT
    coalesce(nullif(current_setting('planner.assignments', true), '')::int, 1011) AS assignments,
    coalesce(nullif(current_setting('planner.projects', true), '')::int, 5) AS projects,
    coalesce(nullif(current_setting('planner.projects_with_planning', true), '')::int, 3) AS with_planning;

-- Five kinds of projects; a larger planner repeats them. Budgets in thousands.
CREATE TEMPORARY TABLE seed_project ON COMMIT DROP AS
SELECT
    n, md5('project ' || n)::uuid AS id, n <= with_planning AS has_planning,
    md5('planning ' || n)::uuid AS planning_id, md5('execution ' || n)::uuid AS execution_id,
    kind.name || CASE WHEN n > 5 THEN ' ' || n ELSE '' END AS name,
    kind.start_date, kind.end_date, kind.end_date - kind.start_date + 1 AS days,
    planning_capital * 1000 AS planning_capital, planning_expense * 1000 AS planning_expense,
    execution_capital * 1000 AS execution_capital, execution_expense * 1000 AS execution_expense
FROM seed_size
CROSS JOIN LATERAL generate_series(1, projects) AS n
JOIN (VALUES
    (1, 'Atlas', date '2025-01-01', date '2025-12-31', 100, 50, 400, 150),
    (2, 'Borealis', date '2025-03-01', date '2026-02-28', 80, 40, 350, 130),
    (3, 'Cascade', date '2025-06-01', date '2026-05-31', 90, 60, 300, 200),
    (4, 'Delta', date '2025-01-15', date '2025-09-30', 60, 30, 250, 150),
    (0, 'Everest', date '2025-09-01', date '2026-06-30', 70, 20, 300, 150)
) AS kind (remainder, name, start_date, end_date, planning_capital, planning_expense, execution_capital, execution_expense)
    ON n % 5 = remainder;

INSERT INTO public.projects (id, name, start_date, end_date)
SELECT id, name, start_date, end_date FROM seed_project ORDER BY n
ON CONFLICT (id) DO NOTHING;

INSERT INTO public.project_phases (id, project_id, phase_type, capital_budget, expense_budget, total_budget)
SELECT planning_id, id, 'planning'::public.phase_type, planning_capital, planning_expense, planning_capital + planning_expense
FROM seed_project
WHERE has_planning
UNION ALL
SELECT execution_id, id, 'execution', execution_capital, execution_expense, execution_capital + execution_expense
FROM seed_project
ON CONFLICT (id) DO NOTHING;

INSERT INTO public.resources (id, name, daily_rate)
SELECT md5('resource ' || n)::uuid, 'Resource ' || n, 400 + 50 * (n % 9)
FROM generate_series(1, 12) AS n
ON CONFLICT (id) DO NOTHING;

-- Assignment i is the k-th one within the dates, or outside them. Within: every third one of a project with a planning
-- phase is planning, all of it in the first third of the project. Outside: up to four months before or after.
INSERT INTO public.resource_assignments
    (id, project_id, resource_id, project_phase_id, assignment_date, allocation_percentage, capital_percentage)
SELECT
    md5('assignment ' || i)::uuid,
    p.id,
    md5('resource ' || 1 + i % 12)::uuid,
    CASE WHEN has_planning AND turn % 3 = 0 THEN planning_id ELSE execution_id END,
    CASE
        WHEN NOT inside AND turn % 2 = 0 THEN start_date - 1 - turn * 7 % 120
        WHEN NOT inside THEN end_date + 1 + turn * 7 % 120
        WHEN NOT has_planning THEN start_date + turn * 7 % days
        WHEN turn % 3 = 0 THEN start_date + turn * 7 % (days / 3)
        ELSE start_date + days / 3 + turn * 7 % (days - days / 3)
    END,
    25 * (1 + i % 4),
    20 * (i % 6)
FROM (
    SELECT i, inside, 1 + k % projects AS n, k / projects AS turn
    FROM seed_size
    CROSS JOIN LATERAL generate_series(1, assignments) AS i
    CROSS JOIN LATERAL (SELECT i::bigint * 591 / 1011 AS so_far, (i - 1)::bigint * 591 / 1011 AS before) AS share
    CROSS JOIN LATERAL (SELECT so_far > before AS inside) AS side
    CROSS JOIN LATERAL (SELECT (CASE WHEN inside THEN so_far ELSE i - so_far END - 1)::int AS k) AS kth
) AS a
JOIN seed_project p USING (n)
ON CONFLICT (id) DO NOTHING;

-- Every fifth assignment is over and its cost known: what was planned, and up to a tenth more.
INSERT INTO public.actuals (id, resource_assignment_id, capital_amount, expense_amount)
SELECT
    md5('actual ' || i)::uuid, ra.id,
    round(cost * ra.capital_percentage / 100, 2), cost - round(cost * ra.capital_percentage / 100, 2)
FROM seed_size
CROSS JOIN LATERAL generate_series(5, assignments, 5) AS i
JOIN public.resource_assignments ra ON ra.id = md5('assignment ' || i)::uuid
JOIN public.resources r ON r.id = ra.resource_id
CROSS JOIN LATERAL (
    SELECT round(r.daily_rate * ra.allocation_percentage / 100 * (100 + i % 11) / 100, 2) AS cost
) AS spent
ON CONFLICT (id) DO NOTHING;

COMMIT;

ANALYZE public.projects, public.project_phases, public.resources, public.resource_assignments, public.actuals;
