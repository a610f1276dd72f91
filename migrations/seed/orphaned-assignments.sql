-- Runbook, "Verify Data Integrity": an assignment whose project is gone, in a database that was once restored without
-- its constraints, on the schema 976e6adbac6f with the data of planner.sql. The preflight check
-- assignments-have-projects finds it.

ALTER TABLE public.resource_assignments DROP CONSTRAINT resource_assignments_project_id_fkey;

UPDATE public.resource_assignments
SET project_id = md5('vanished project')::uuid
WHERE id = md5('assignment 1')::uuid;
