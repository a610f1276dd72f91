-- The planner's schema as version 1 of the backend knows it: every project has the phases Planning and Execution.
--
-- Names are qualified, so that the migration does the same whatever search_path its session has. The columns that a
-- later migration removes are the last of their tables: after its `down` they stand where they stood.

CREATE TYPE public.phase_type AS ENUM ('planning', 'execution');

CREATE TABLE public.projects (
    id uuid CONSTRAINT projects_pkey PRIMARY KEY DEFAULT gen_random_uuid(),
    name varchar(200) NOT NULL,
    -- Old projects may have been entered before their dates were known.
    start_date date,
    end_date date,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT check_project_dates CHECK (start_date <= end_date)
);

CREATE TABLE public.project_phases (
    id uuid CONSTRAINT project_phases_pkey PRIMARY KEY DEFAULT gen_random_uuid(),
    project_id uuid NOT NULL
        CONSTRAINT project_phases_project_id_fkey REFERENCES public.projects ON DELETE CASCADE,
    capital_budget numeric(15, 2) NOT NULL DEFAULT 0,
    expense_budget numeric(15, 2) NOT NULL DEFAULT 0,
    total_budget numeric(15, 2) NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    phase_type public.phase_type NOT NULL
);

CREATE TABLE public.resources (
    id uuid CONSTRAINT resources_pkey PRIMARY KEY DEFAULT gen_random_uuid(),
    name varchar(200) NOT NULL,
    -- What a whole day of this resource costs.
    daily_rate numeric(10, 2) NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- A resource works on a project on a day.
CREATE TABLE public.resource_assignments (
    id uuid CONSTRAINT resource_assignments_pkey PRIMARY KEY DEFAULT gen_random_uuid(),
    project_id uuid NOT NULL
        CONSTRAINT resource_assignments_project_id_fkey REFERENCES public.projects ON DELETE CASCADE,
    resource_id uuid NOT NULL
        CONSTRAINT resource_assignments_resource_id_fkey REFERENCES public.resources,
    assignment_date date NOT NULL,
    -- Percent of the day; and how many percent of its cost are capital (the others are expense).
    allocation_percentage numeric(5, 2) NOT NULL DEFAULT 100,
    capital_percentage numeric(5, 2) NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    project_phase_id uuid NOT NULL
        CONSTRAINT resource_assignments_project_phase_id_fkey REFERENCES public.project_phases,
    CONSTRAINT check_allocation_percentage CHECK (allocation_percentage BETWEEN 0 AND 100),
    CONSTRAINT check_capital_percentage CHECK (capital_percentage BETWEEN 0 AND 100)
);

-- What an assignment really cost, once it is known.
CREATE TABLE public.actuals (
    id uuid CONSTRAINT actuals_pkey PRIMARY KEY DEFAULT gen_random_uuid(),
    resource_assignment_id uuid NOT NULL
        CONSTRAINT actuals_resource_assignment_id_fkey REFERENCES public.resource_assignments ON DELETE CASCADE,
    capital_amount numeric(15, 2) NOT NULL DEFAULT 0,
    expense_amount numeric(15, 2) NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- The tables belong to whoever migrates; the backend connects as a role that may change rows and nothing else.
-- Named one by one: ON ALL TABLES would hand over whatever other tables (a ledger) the schema happens to hold.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'planner_app') THEN
        GRANT USAGE ON SCHEMA public TO planner_app;
        GRANT SELECT, INSERT, UPDATE, DELETE
            ON public.projects, public.project_phases, public.resources, public.resource_assignments, public.actuals
            TO planner_app;
    END IF;
END
$$;
