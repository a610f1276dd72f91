-- Runbook, "Assignments Outside Phase Date Ranges", at its worst, on the schema 976e6adbac6f with the data of
-- planner.sql: every assignment is history from before its project. Every preflight check passes and the migration
-- succeeds, then the verification check date-queries-work fails.

UPDATE public.resource_assignments ra
SET assignment_date = p.start_date - 1
FROM public.projects p
WHERE p.id = ra.project_id AND ra.assignment_date BETWEEN p.start_date AND p.end_date;
