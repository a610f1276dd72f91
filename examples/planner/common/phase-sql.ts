/**
 * How the SQL of one version speaks about phases. In all of it `ph` is a row of project_phases and `ra` one of
 * resource_assignments.
 */
export interface PhaseSql {
  /** What a phase is called. */
  name: string;
  /** Whether the assignment `ra` belongs to the phase `ph`. */
  contains: string;
  /** In which order the phases of a project are shown. */
  order: string;
}
