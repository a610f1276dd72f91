import type { PhaseMigrationRun } from '../../api/resources.ts';
import type { WorkloadInUse } from '../decide/observation.ts';

/**
 * Which workloads of a run another run of the namespace has in its hands: one that has not brought them back, or an
 * older one that is on its way to its outage. Of two that get ready at once so exactly one goes first.
 */
export function workloadsInUse(run: PhaseMigrationRun, runs: PhaseMigrationRun[]): WorkloadInUse[] {
  const others = runs.filter((other) => other.metadata.uid !== run.metadata.uid && holdsWorkloads(other, run));
  return run.spec.plan.workloads.flatMap(({ kind, name }) => {
    const holder = others.find(({ spec }) => spec.plan.workloads.some((own) => own.kind === kind && own.name === name));
    return holder ? [{ kind, name, run: holder.metadata.name }] : [];
  });
}

function holdsWorkloads(other: PhaseMigrationRun, run: PhaseMigrationRun): boolean {
  const { outcome, workloads, runner } = other.status ?? {};
  if (outcome !== undefined) return outcome === 'NeedsHuman' && workloads !== undefined;
  if (workloads !== undefined) return true;
  // Nothing will be done to its workloads.
  if (runner?.alreadyAtTarget || other.status?.failure) return false;
  return ageOf(other) < ageOf(run);
}

/** Comparable as text: the creation, which the API server gives in whole seconds, then the UID. */
function ageOf({ metadata }: PhaseMigrationRun): string {
  return `${metadata.creationTimestamp ?? ''} ${metadata.uid ?? ''}`;
}
