import type { PlannerVersion } from '../common/app.ts';
import { projectRoutes, resourceRoutes } from '../common/projects.ts';
import { reportRoutes } from '../common/reports.ts';
import { assignmentRoutes } from './assignments.ts';
import { addInitialPhases, phaseRoutes, phaseSql } from './phases.ts';

/** The planner before the phase migration: every project has the phases Planning and Execution. */
export const planner: PlannerVersion = {
  version: '1.0.0',
  schema: {
    revision: '976e6adbac6f',
    present: ['project_phases.phase_type', 'resource_assignments.project_phase_id'],
    absent: ['project_phases.start_date'],
  },
  probe: 'SELECT phase_type FROM project_phases LIMIT 1',
  routes: (api, pool) => {
    projectRoutes(api, pool, addInitialPhases);
    phaseRoutes(api, pool);
    resourceRoutes(api, pool);
    assignmentRoutes(api, pool);
    reportRoutes(api, pool, phaseSql);
  },
};
