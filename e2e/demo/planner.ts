import type { Progress } from '../cluster/progress.ts';
import type { Cluster } from '../cluster/provider.ts';

export interface Figures {
  phases: string;
  budget: number;
  assignments: number;
  /** Assignments within a phase; undefined on the old schema, which has no dates. */
  matched?: number;
  text: string;
}

/** The planner's figures, whichever schema it has. */
export async function figures(cluster: Cluster, namespace: string): Promise<Figures> {
  const ask = async (sql: string) => {
    const psql = ['psql', '-h', '/tmp', '-U', 'postgres', '-At', '-v', 'ON_ERROR_STOP=1', 'planner', '-c', sql];
    return (
      await cluster.exec(['kubectl', '-n', namespace, 'exec', 'planner-postgres-0', '--', ...psql])
    ).stdout.trim();
  };
  const migrated =
    (await ask(
      "SELECT count(*) FROM information_schema.columns WHERE table_schema = 'public' AND table_name = 'project_phases' AND column_name = 'name'",
    )) === '1';
  const kind = migrated ? 'name' : 'initcap(phase_type::text)';
  const phases = await ask(
    `SELECT string_agg(kind || ' ' || number, ', ' ORDER BY kind) FROM (SELECT ${kind} AS kind, count(*) AS number FROM public.project_phases GROUP BY 1) AS phases`,
  );
  const budget = Number(await ask('SELECT sum(total_budget) FROM public.project_phases'));
  const assignments = Number(await ask('SELECT count(*) FROM public.resource_assignments'));
  const matched = migrated
    ? Number(
        await ask(
          'SELECT count(*) FROM public.resource_assignments ra JOIN public.project_phases ph ON ra.project_id = ph.project_id AND ra.assignment_date BETWEEN ph.start_date AND ph.end_date',
        ),
      )
    : undefined;
  const thousands = (value: number) => value.toLocaleString('en-US');
  const within = matched === undefined ? '' : `, ${matched} of them within a phase by date`;
  const text = `  phases       ${phases}\n  budget       $${thousands(budget)}\n  assignments  ${thousands(assignments)}${within}`;
  return { phases, budget, assignments, matched, text };
}

/** Removes what an earlier demonstration left, so that this one begins with the old version. */
export async function restart(cluster: Cluster, namespace: string, progress: Progress): Promise<void> {
  const { stdout } = await cluster.exec(['kubectl', 'get', 'namespace', namespace, '--ignore-not-found', '-o', 'name']);
  if (!stdout.trim()) return;
  progress('removing what the last demonstration left');
  await cluster.exec(['kubectl', '-n', namespace, 'delete', 'pm', '--all', '--timeout=120s'], { allowFailure: true });
  await cluster.exec(['kubectl', 'delete', 'namespace', namespace, '--timeout=180s']);
}
