DROP INDEX
    public.ix_project_phases_project_id,
    public.ix_resource_assignments_project_id_date,
    public.ix_resource_assignments_project_phase_id_date,
    public.ix_resource_assignments_resource_id_date,
    public.ix_actuals_resource_assignment_id;
