-- Back to an empty database: what the tables hold is gone afterwards.

DROP TABLE public.actuals, public.resource_assignments, public.resources, public.project_phases, public.projects;
DROP TYPE public.phase_type;

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'planner_app') THEN
        REVOKE USAGE ON SCHEMA public FROM planner_app;
    END IF;
END
$$;
