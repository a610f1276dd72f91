-- Runbook, "Verification Shows Phase Date Mismatches": phases that do not cover their project, on the schema
-- 92023c163a26 with the data of planner.sql. The verification check phases-cover-projects finds the two projects.

UPDATE public.project_phases
SET start_date = start_date + 7
WHERE id = md5('planning 1')::uuid;

UPDATE public.project_phases
SET end_date = end_date - 7
WHERE id = md5('execution 4')::uuid;
