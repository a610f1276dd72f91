import type { PhaseMigrationRun } from '../../api/resources.ts';

/** Which objects belong to a run. None of that changes in a run's life; a selector is known once it is recorded. */
export interface Surroundings {
  name: string;
  uid: string;
  migration: { name: string; uid: string };
  workloads: { kind: 'Deployment' | 'StatefulSet'; name: string; selector?: string }[];
}

export function surroundingsOf({ metadata, spec, status }: PhaseMigrationRun): Surroundings {
  const workloads = spec.plan.workloads.map(({ kind, name }) => {
    const recorded = status?.workloads?.find((workload) => workload.kind === kind && workload.name === name);
    return { kind, name, ...(recorded ? { selector: recorded.selector } : {}) };
  });
  const { name, uid = '' } = metadata;
  return { name, uid, migration: spec.phaseMigrationRef, workloads };
}
