-- What the backend asks for all the time: the phases of a project, and assignments of a scope (project, phase,
-- resource) in a range of dates.

CREATE INDEX ix_project_phases_project_id ON public.project_phases (project_id);
CREATE INDEX ix_resource_assignments_project_id_date ON public.resource_assignments (project_id, assignment_date);
CREATE INDEX ix_resource_assignments_project_phase_id_date
    ON public.resource_assignments (project_phase_id, assignment_date);
CREATE INDEX ix_resource_assignments_resource_id_date ON public.resource_assignments (resource_id, assignment_date);
CREATE INDEX ix_actuals_resource_assignment_id ON public.actuals (resource_assignment_id);
