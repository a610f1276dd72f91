import type { Progress } from '../cluster/progress.ts';
import type { Cluster } from '../cluster/provider.ts';
import { oldFigures, type Figures } from '../stack/figures.ts';

/** The planner's figures as the demonstration prints them. */
export function figuresText({ phases, budget, assignments, matched }: Figures): string {
  const names = new Set([...Object.keys(oldFigures.phases), ...Object.keys(phases)]);
  const counts = [...names].map((name) => `${name} ${phases[name] ?? 0}`);
  const within = matched === undefined ? '' : `, ${matched} of them within a phase by date`;
  return `  phases       ${counts.join(', ')}
  budget       $${budget.toLocaleString('en-US')}
  assignments  ${assignments.toLocaleString('en-US')}${within}`;
}

/** Removes what an earlier demonstration left, so that this one begins with the old version. */
export async function restart(cluster: Cluster, namespace: string, progress: Progress): Promise<void> {
  const { stdout } = await cluster.exec(['kubectl', 'get', 'namespace', namespace, '--ignore-not-found', '-o', 'name']);
  if (!stdout.trim()) return;
  progress('removing what the last demonstration left');
  await cluster.exec(['kubectl', '-n', namespace, 'delete', 'pm', '--all', '--timeout=120s'], { allowFailure: true });
  await cluster.exec(['kubectl', 'delete', 'namespace', namespace, '--timeout=180s']);
}
