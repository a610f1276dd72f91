-- A budget whose total was typed in wrong, on the schema 976e6adbac6f with the data of planner.sql. Every preflight
-- check passes and the migration succeeds, then the verification check budgets-preserved fails.

UPDATE public.project_phases
SET total_budget = total_budget + 1
WHERE id = md5('execution 1')::uuid;
