-- Runbook, "Migration Fails with NULL value in column": a project that was entered before its dates were known, on the
-- schema 976e6adbac6f. The preflight check projects-have-dates finds it; without that check the migration fails.

INSERT INTO public.projects (id, name, start_date, end_date)
VALUES (md5('undated project')::uuid, 'Undated', NULL, NULL);

INSERT INTO public.project_phases (project_id, phase_type, capital_budget, expense_budget, total_budget)
VALUES (md5('undated project')::uuid, 'execution', 1000, 500, 1500);
