-- Phases become what users make of them: a name, a first and a last day, a description. Assignments belong to the
-- phase that covers their day, and no longer point to one.
--
-- The dates. The phases of a project follow each other in the order planning, execution; the first begins with the
-- project, the last ends with it, and in between no day is left out or counted twice. The project's days are divided
-- equally, except that for the usual two phases the border moves as far as the assignments ask: to where no planning
-- work lies after it and no execution work before it, if there is such a day. Then `down` gives every assignment
-- inside its project back to the phase that it has today. Only a project with fewer days than phases lets two phases
-- share a day, since a phase without any day is not allowed.

DO $$
DECLARE
    undated text;
    how_many bigint;
BEGIN
    SELECT count(*), string_agg(format('"%s" (%s)', name, id), ', ' ORDER BY name, id) FILTER (WHERE place <= 5)
    INTO how_many, undated
    FROM (
        SELECT p.name, p.id, row_number() OVER (ORDER BY p.name, p.id) AS place
        FROM public.projects p
        WHERE (p.start_date IS NULL OR p.end_date IS NULL)
            AND EXISTS (SELECT FROM public.project_phases ph WHERE ph.project_id = p.id)
    ) AS p;
    IF how_many > 0 THEN
        RAISE EXCEPTION 'NULL value in column "start_date" or "end_date" of % project(s), whose phases therefore get no dates: %',
            how_many, undated || CASE WHEN how_many > 5 THEN ', …' ELSE '' END
            USING ERRCODE = 'not_null_violation', TABLE = 'projects',
                HINT = 'Give these projects a first and a last day, then run the migration again.';
    END IF;
END
$$;

ALTER TABLE public.project_phases
    ADD COLUMN name varchar(100),
    ADD COLUMN start_date date,
    ADD COLUMN end_date date,
    ADD COLUMN description text;

-- A phase without assignments (or a NULL from one) leaves the border free: greatest() and least() ignore NULL.
WITH places AS (
    SELECT
        ph.id, ph.project_id, p.start_date, p.end_date,
        p.end_date - p.start_date + 1 AS days,
        row_number() OVER in_order AS place,
        count(*) OVER (PARTITION BY ph.project_id) AS phases
    FROM public.project_phases ph
    JOIN public.projects p ON p.id = ph.project_id
    WINDOW in_order AS (PARTITION BY ph.project_id ORDER BY ph.phase_type, ph.created_at, ph.id)
),
-- Two probes of the index on (project_phase_id, assignment_date) a phase, however many assignments there are: min() and
-- max() beside each other would read them all.
worked AS (
    SELECT
        places.project_id,
        greatest(places.start_date, max(last_day) FILTER (WHERE place = 1)) + 1 AS earliest,
        least(places.end_date, min(first_day) FILTER (WHERE place = 2)) AS latest
    FROM places
    LEFT JOIN LATERAL (
        SELECT ra.assignment_date AS last_day
        FROM public.resource_assignments ra
        WHERE ra.project_phase_id = places.id AND ra.assignment_date BETWEEN places.start_date AND places.end_date
        ORDER BY ra.assignment_date DESC
        LIMIT 1
    ) AS last_work ON true
    LEFT JOIN LATERAL (
        SELECT ra.assignment_date AS first_day
        FROM public.resource_assignments ra
        WHERE ra.project_phase_id = places.id AND ra.assignment_date BETWEEN places.start_date AND places.end_date
        ORDER BY ra.assignment_date
        LIMIT 1
    ) AS first_work ON true
    WHERE phases = 2
    GROUP BY places.project_id, places.start_date, places.end_date
),
dated AS (
    SELECT
        places.*,
        start_date + ((place - 1) * days / phases)::int AS equal_start,
        start_date + (place * days / phases)::int - 1 AS equal_end,
        CASE
            WHEN earliest <= latest
            THEN least(greatest(start_date + (days / 2), earliest), latest)
        END AS border
    FROM places
    LEFT JOIN worked USING (project_id)
)
UPDATE public.project_phases ph
SET
    name = CASE ph.phase_type WHEN 'planning' THEN 'Planning' WHEN 'execution' THEN 'Execution' END,
    start_date = CASE WHEN place = 2 THEN coalesce(border, equal_start) ELSE equal_start END,
    end_date = greatest(equal_start, CASE WHEN place = 1 THEN coalesce(border - 1, equal_end) ELSE equal_end END)
FROM dated
WHERE dated.id = ph.id;

ALTER TABLE public.project_phases
    ALTER COLUMN name SET NOT NULL,
    ALTER COLUMN start_date SET NOT NULL,
    ALTER COLUMN end_date SET NOT NULL,
    ADD CONSTRAINT check_phase_dates CHECK (start_date <= end_date),
    DROP COLUMN phase_type;

CREATE INDEX ix_project_phases_start_date ON public.project_phases (start_date);
CREATE INDEX ix_project_phases_end_date ON public.project_phases (end_date);

-- Dropping a column touches no row, so this costs the same with a thousand assignments and with a million.
ALTER TABLE public.resource_assignments DROP COLUMN project_phase_id;
DROP TYPE public.phase_type;
