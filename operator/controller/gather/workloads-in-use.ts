import type { PhaseMigrationRun } from '../../api/resources.ts';
import type { WorkloadInUse } from '../decide/observation.ts';

/**
 * Which workloads of a run another run of the namespace has in its hands: it has recorded what they were, and has not
 * brought them back. Of two that are ready at once the first to record them goes first (see `Turns`).
 */
export function workloadsInUse(run: PhaseMigrationRun, runs: PhaseMigrationRun[]): WorkloadInUse[] {
  const others = runs.filter((other) => other.metadata.uid !== run.metadata.uid && holdsWorkloads(other));
  return run.spec.plan.workloads.flatMap(({ kind, name }) => {
    const holder = others.find(({ spec }) => spec.plan.workloads.some((own) => own.kind === kind && own.name === name));
    return holder ? [{ kind, name, run: holder.metadata.name }] : [];
  });
}

function holdsWorkloads(other: PhaseMigrationRun): boolean {
  const { outcome, workloads } = other.status ?? {};
  return workloads !== undefined && (outcome === undefined || outcome === 'NeedsHuman');
}
