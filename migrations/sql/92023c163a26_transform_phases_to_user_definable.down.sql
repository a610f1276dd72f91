-- Back to phases that are either planning or execution, and to assignments that point to one.
--
-- What the old schema has no place for is lost: names other than Planning and Execution, dates and descriptions of
-- phases. Everything else is kept, and nothing that users of the new version can have made lets this fail:
--   name      Planning or Execution (in any case) says the type. Any other name: the first phase of a project that
--             has several was its planning, all others were execution; a WARNING counts them.
--   day       An assignment goes to the phase that covers its day; where phases overlap, to the one that begins first.
--             One outside all phases goes to the first phase of its project; a WARNING counts them.
--   no phase  A project that has assignments and no phase gets an execution phase without budget; a WARNING counts them.

CREATE TYPE public.phase_type AS ENUM ('planning', 'execution');

ALTER TABLE public.project_phases ADD COLUMN phase_type public.phase_type;
ALTER TABLE public.resource_assignments ADD COLUMN project_phase_id uuid;

DO $$
DECLARE
    n bigint;
BEGIN
    INSERT INTO public.project_phases (project_id, name, start_date, end_date)
    SELECT p.id, 'Execution', coalesce(p.start_date, p.end_date, current_date), coalesce(p.end_date, p.start_date, current_date)
    FROM public.projects p
    WHERE NOT EXISTS (SELECT FROM public.project_phases ph WHERE ph.project_id = p.id)
        AND EXISTS (SELECT FROM public.resource_assignments ra WHERE ra.project_id = p.id);
    GET DIAGNOSTICS n = ROW_COUNT;
    IF n > 0 THEN
        RAISE WARNING '% projects had assignments but no phase and were given an execution phase without budget', n;
    END IF;

    SELECT count(*) INTO n FROM public.project_phases WHERE lower(name) NOT IN ('planning', 'execution');
    IF n > 0 THEN
        RAISE WARNING '% phases had a name other than Planning or Execution: the first of several became planning, the others execution', n;
    END IF;
END
$$;

UPDATE public.project_phases ph
SET phase_type = CASE
    WHEN lower(ph.name) = 'planning' THEN 'planning'
    WHEN lower(ph.name) = 'execution' THEN 'execution'
    WHEN place = 1 AND phases > 1 THEN 'planning'
    ELSE 'execution'
END::public.phase_type
FROM (
    SELECT
        id,
        row_number() OVER (PARTITION BY project_id ORDER BY start_date, end_date, id) AS place,
        count(*) OVER (PARTITION BY project_id) AS phases
    FROM public.project_phases
) AS places
WHERE places.id = ph.id;

-- Every assignment is written anew below; maintaining these indexes row by row would take longer than that.
DROP INDEX public.ix_resource_assignments_project_id_date, public.ix_resource_assignments_resource_id_date;

DO $$
DECLARE
    n bigint;
BEGIN
    -- Without its overlaps a day has one phase at most: each begins after the last day of those that began before it.
    UPDATE public.resource_assignments ra
    SET project_phase_id = ph.id
    FROM (
        SELECT
            id, project_id, end_date,
            greatest(start_date, max(end_date) OVER (
                PARTITION BY project_id ORDER BY start_date, end_date, id
                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            ) + 1) AS start_date
        FROM public.project_phases
    ) AS ph
    WHERE ph.project_id = ra.project_id AND ra.assignment_date BETWEEN ph.start_date AND ph.end_date;

    UPDATE public.resource_assignments ra
    SET project_phase_id = ph.id
    FROM (
        SELECT DISTINCT ON (project_id) project_id, id
        FROM public.project_phases
        ORDER BY project_id, start_date, end_date, id
    ) AS ph
    WHERE ra.project_phase_id IS NULL AND ph.project_id = ra.project_id;
    GET DIAGNOSTICS n = ROW_COUNT;
    IF n > 0 THEN
        RAISE WARNING '% assignments were outside phase date ranges and assigned to first phase', n;
    END IF;
END
$$;

ALTER TABLE public.project_phases
    DROP CONSTRAINT check_phase_dates,
    DROP COLUMN name,
    DROP COLUMN start_date,
    DROP COLUMN end_date,
    DROP COLUMN description,
    ALTER COLUMN phase_type SET NOT NULL;

ALTER TABLE public.resource_assignments
    ALTER COLUMN project_phase_id SET NOT NULL,
    ADD CONSTRAINT resource_assignments_project_phase_id_fkey
        FOREIGN KEY (project_phase_id) REFERENCES public.project_phases;

CREATE INDEX ix_resource_assignments_project_id_date ON public.resource_assignments (project_id, assignment_date);
CREATE INDEX ix_resource_assignments_project_phase_id_date
    ON public.resource_assignments (project_phase_id, assignment_date);
CREATE INDEX ix_resource_assignments_resource_id_date ON public.resource_assignments (resource_id, assignment_date);
