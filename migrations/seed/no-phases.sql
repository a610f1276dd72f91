-- Runbook, "Verify Data Integrity": a project without phases, on the schema 976e6adbac6f. The preflight check
-- projects-have-phases finds it; without that check the verification check phases-cover-projects does.

INSERT INTO public.projects (id, name, start_date, end_date)
VALUES (md5('project without phases')::uuid, 'Phaseless', date '2025-01-01', date '2025-12-31');
