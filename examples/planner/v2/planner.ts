import type { PlannerVersion } from '../common/app.ts';
import { projectRoutes, resourceRoutes } from '../common/projects.ts';
import { reportRoutes } from '../common/reports.ts';
import { assignmentRoutes } from './assignments.ts';
import { addInitialPhases, phaseRoutes, phaseSql } from './phases.ts';

/** The planner after the phase migration: users define the phases of their projects. */
export const planner: PlannerVersion = {
  version: '2.0.0',
  schema: {
    revision: '92023c163a26',
    present: [
      'project_phases.name',
      'project_phases.start_date',
      'project_phases.end_date',
      'project_phases.description',
    ],
    absent: ['project_phases.phase_type', 'resource_assignments.project_phase_id'],
  },
  probe: 'SELECT name FROM project_phases LIMIT 1',
  routes: (api, pool) => {
    projectRoutes(api, pool, addInitialPhases);
    phaseRoutes(api, pool);
    resourceRoutes(api, pool);
    assignmentRoutes(api, pool);
    reportRoutes(api, pool, phaseSql);
  },
};
