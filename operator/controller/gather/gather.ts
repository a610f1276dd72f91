import { GROUP } from '../../api/names.ts';
import type { KubeClient, ListOptions } from '../../kube/client.ts';
import type { ObjectRef } from '../../kube/types.ts';
import type { MigrationObservation } from '../decide/migration.ts';
import type { PhaseMigrationRun as PhaseMigrationRunObject } from '../../api/resources.ts';
import type { RunObservation } from '../decide/observation.ts';
import { PhaseMigration, PhaseMigrationRun } from '../resource-types.ts';
import { observeJobs } from './jobs.ts';
import { surroundingsOf, type Surroundings } from './surroundings.ts';
import { askSmokeTest, unaskableSmokeTests } from './smoke-tests.ts';
import { workloadsInUse } from './workloads-in-use.ts';
import { observeWorkload } from './workloads.ts';

/**
 * Reads everything that is decided on from the API server, nothing from a memory of the operator's own: a stale read is
 * how controllers go wrong, and a run needs only a handful of reads. Undefined: the object is gone.
 *
 * @param known what an earlier look said is around the run. It is read at the same time as the run itself, and lists as
 * the API server remembers them: every wait is part of the outage. Such a look may be some milliseconds old.
 */
export async function gatherRun(
  client: KubeClient,
  ref: ObjectRef & { namespace: string },
  known?: Surroundings,
): Promise<RunObservation | undefined> {
  const { namespace } = ref;
  const [run, early] = await Promise.all([
    client.get(PhaseMigrationRun, ref),
    known && gatherSurroundings(client, namespace, known, { remembered: true }),
  ]);
  if (!run) return undefined;
  // Before the workloads: one that a run brings back while this is read must not look free and at zero replicas.
  const [runs, unaskable] = standsBeforeOutage(run)
    ? await Promise.all([
        client.list(PhaseMigrationRun, { namespace }),
        unaskableSmokeTests(client, namespace, run.spec.plan.smokeTests),
      ])
    : [];
  const isOf = known?.uid === run.metadata.uid;
  const around = early && isOf ? early : await gatherSurroundings(client, namespace, surroundingsOf(run), {});
  const asked = isAsking(run) ? run.spec.plan.smokeTests : [];
  const smokeTests = await Promise.all(asked.map((test) => askSmokeTest(client, namespace, test)));
  return {
    ...{ now: Date.now(), run, ...around },
    workloadsInUse: workloadsInUse(run, runs?.items ?? []),
    unaskableSmokeTests: unaskable ?? [],
    smokeTests,
  };
}

async function gatherSurroundings(client: KubeClient, namespace: string, known: Surroundings, options: ListOptions) {
  const [migration, jobs, workloads] = await Promise.all([
    client.get(PhaseMigration, { namespace, name: known.migration.name }),
    observeJobs(client, namespace, known, options),
    Promise.all(known.workloads.map((workload) => observeWorkload(client, namespace, workload, options))),
  ]);
  // One that was deleted and created again under the same name is another: this run is not its own.
  const own = migration?.metadata.uid === known.migration.uid ? migration : undefined;
  return { migration: own, workloads, ...jobs };
}

function isAsking({ status }: PhaseMigrationRunObject): boolean {
  return status?.steps?.some(({ name, state }) => name === 'SmokeTest' && state === 'Running') ?? false;
}

/** Only then does it matter what other runs do, and only then is it worth reading all of them. */
function standsBeforeOutage({ spec, status }: PhaseMigrationRunObject): boolean {
  return spec.goal === 'Prepared' && status?.runner?.reachedGoal === 'Prepared' && status.workloads === undefined;
}

export async function gatherMigration(client: KubeClient, ref: ObjectRef): Promise<MigrationObservation | undefined> {
  const migration = await client.get(PhaseMigration, ref);
  if (!migration) return undefined;
  const { items } = await client.list(PhaseMigrationRun, {
    namespace: ref.namespace,
    labelSelector: `${GROUP}/migration=${ref.name}`,
  });
  const runs = items.filter(({ spec }) => spec.phaseMigrationRef.uid === migration.metadata.uid);
  return { now: Date.now(), migration, runs };
}
