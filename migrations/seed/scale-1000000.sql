-- Settings for planner.sql, to be sent before it in the same session: 1,000,000 assignments in 2,000 projects with
-- 4,000 phases.
--   psql "$DATABASE_URL" -v ON_ERROR_STOP=1 -f scale-1000000.sql -f planner.sql

SET planner.assignments = 1000000;
SET planner.projects = 2000;
SET planner.projects_with_planning = 2000;
