import type { Ask } from './psql.ts';

/** What the planner's database says, in the terms of the runbook. */
export interface Figures {
  schema: 'old' | 'new' | 'neither';
  /** Of the runner's ledger. */
  revision: string;
  phases: Record<string, number>;
  budget: number;
  assignments: number;
  /** Assignments that lie within a phase of their project by date; on the new schema only. */
  matched?: number;
}

/** The figures of the staging environment, on the old schema. */
export const oldFigures: Figures = {
  schema: 'old',
  revision: '976e6adbac6f',
  phases: { Planning: 3, Execution: 5 },
  budget: 2_800_000,
  assignments: 1011,
};

/** The same after the migration. */
export const newFigures: Figures = { ...oldFigures, schema: 'new', revision: '92023c163a26', matched: 591 };

const QUESTIONS = `
SELECT
    count(*) FILTER (WHERE table_name = 'project_phases' AND column_name IN ('name', 'start_date', 'end_date', 'description')) AS new,
    count(*) FILTER (WHERE (table_name, column_name) IN (('project_phases', 'phase_type'), ('resource_assignments', 'project_phase_id'))) AS old
FROM information_schema.columns WHERE table_schema = 'public' \\gset
SELECT (:new = 4 AND :old = 0) AS is_new, (:new = 0 AND :old = 2) AS is_old \\gset
\\set matched 'SELECT NULL::bigint'
\\set kind 'NULL'
\\if :is_new
  \\set kind name
  \\set matched 'SELECT count(*) FROM public.resource_assignments ra JOIN public.project_phases ph ON ra.project_id = ph.project_id AND ra.assignment_date BETWEEN ph.start_date AND ph.end_date'
\\elif :is_old
  \\set kind initcap(phase_type::text)
\\endif
SELECT json_build_object(
    'schema', CASE WHEN :'is_new' THEN 'new' WHEN :'is_old' THEN 'old' ELSE 'neither' END,
    'phases', (SELECT json_object_agg(kind, number) FROM (SELECT :kind AS kind, count(*) AS number FROM public.project_phases GROUP BY 1) AS phases),
    'budget', (SELECT sum(total_budget) FROM public.project_phases),
    'assignments', (SELECT count(*) FROM public.resource_assignments),
    'matched', (:matched),
    'ledger', (SELECT json_agg(ledger ORDER BY id) FROM phasemigration.ledger))`;

interface LedgerRow {
  revision: string;
  direction: 'up' | 'down';
  state: string;
}

/** Reads all figures in one look. @throws Error with psql's own message when the database cannot be asked */
export async function readFigures(ask: Ask): Promise<Figures> {
  const text = await ask(QUESTIONS);
  const { ledger, matched, budget, ...rest } = JSON.parse(text) as Omit<Figures, 'revision' | 'matched'> & {
    matched: number | null;
    ledger: LedgerRow[];
  };
  return {
    ...rest,
    budget: Number(budget),
    revision: revisionOf(ledger),
    ...(matched === null ? {} : { matched }),
  };
}

/** What stands after everything that the append-only ledger tells. */
function revisionOf(ledger: LedgerRow[]): string {
  const applied: string[] = [];
  for (const { revision, direction, state } of ledger) {
    if (state !== 'applied' && state !== 'baseline') continue;
    if (direction === 'up') applied.push(revision);
    else applied.pop();
  }
  return applied.at(-1) ?? 'none';
}
