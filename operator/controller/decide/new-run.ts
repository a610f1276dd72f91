import { API_VERSION, FINALIZER, GROUP, RUN_PROTOCOL, runNameOf } from '../../api/names.ts';
import { planOf } from '../../api/plan-of.ts';
import type { Workload } from '../../api/plan.ts';
import type { PhaseMigration, PhaseMigrationRun } from '../../api/resources.ts';

interface Before {
  migration: PhaseMigration;
  /** Its runs, in any order. */
  runs: PhaseMigrationRun[];
}

export type ImagesOf = (workload: Workload) => Record<string, string> | undefined;

/**
 * The images that the way up replaced: what a way down must put back. Undefined when images are to be changed and
 * neither a run nor the manifest says what they were.
 */
export function imagesBefore({ migration, runs }: Before): ImagesOf | undefined {
  const up = runs
    .toSorted((one, other) => one.spec.attempt - other.spec.attempt)
    .findLast(({ spec, status }) => spec.direction === 'Up' && status?.outcome === 'Succeeded' && status.workloads);
  const isKnown = ({ images = {}, previousImages = {} }: Workload) =>
    Object.keys(images).every((container) => previousImages[container] !== undefined);
  if (!up && !migration.spec.workloads.every(isKnown)) return undefined;
  return ({ kind, name, images, previousImages }) => {
    const recorded = up?.status?.workloads?.find(
      (workload) => workload.kind === kind && workload.name === name,
    )?.images;
    const before: Record<string, string> = { ...previousImages, ...recorded };
    return (
      images &&
      Object.fromEntries(
        Object.keys(images).flatMap((container) => (before[container] ? [[container, before[container]]] : [])),
      )
    );
  };
}

/** A run of what the PhaseMigration asks for now, with its plan frozen. */
export function newRun(
  migration: PhaseMigration,
  attempt: number,
  hash: string,
  before: ImagesOf | undefined,
): PhaseMigrationRun {
  const { name, namespace, uid = '' } = migration.metadata;
  const up = migration.spec.state === 'Migrated';
  const asked = planOf(migration.spec);
  const plan =
    up || !before
      ? asked
      : { ...asked, workloads: asked.workloads.map((workload) => ({ ...workload, images: before(workload) })) };
  const { from, to } = plan.migrations;
  return {
    apiVersion: API_VERSION,
    kind: 'PhaseMigrationRun',
    metadata: {
      name: runNameOf(name, attempt),
      namespace,
      labels: { [`${GROUP}/migration`]: name },
      finalizers: [FINALIZER],
      ownerReferences: [
        // Without blockOwnerDeletion: a foreground deletion (Argo CD's prune) would delete the run before its work is undone.
        { apiVersion: API_VERSION, kind: 'PhaseMigration', name, uid, controller: true },
      ],
    },
    spec: {
      phaseMigrationRef: { name, uid },
      attempt,
      protocol: RUN_PROTOCOL,
      direction: up ? 'Up' : 'Down',
      requestHash: hash,
      plan,
      startRevision: up ? from : to,
      targetRevision: up ? to : from,
      goal: 'Prepared',
      runnerEpoch: 1,
    },
  };
}
