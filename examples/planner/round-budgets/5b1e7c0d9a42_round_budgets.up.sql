-- Wrong on purpose: what cannot be divided by 30,000 is cut off, and the totals do not add up any more.
-- The demonstration shows that the check and the snapshot find it and that nothing of it stays.
UPDATE public.project_phases
SET capital_budget = trunc(capital_budget / 30000) * 30000,
    total_budget = trunc(total_budget / 30000) * 30000;
