import { GROUP } from '../../api/names.ts';
import type { KubeClient } from '../../kube/client.ts';
import type { ObjectRef } from '../../kube/types.ts';
import type { MigrationObservation } from '../decide/migration.ts';
import type { PhaseMigrationRun as PhaseMigrationRunObject } from '../../api/resources.ts';
import type { RunObservation } from '../decide/observation.ts';
import { PhaseMigration, PhaseMigrationRun } from '../resource-types.ts';
import { observeJobs } from './jobs.ts';
import { askSmokeTest } from './smoke-tests.ts';
import { workloadsInUse } from './workloads-in-use.ts';
import { observeWorkload } from './workloads.ts';

/**
 * Reads everything that is decided on, from the API server itself and not from a cache: a stale read is how controllers
 * go wrong, and a run needs only a handful of reads. Undefined: the object is gone.
 */
export async function gatherRun(
  client: KubeClient,
  ref: ObjectRef & { namespace: string },
): Promise<RunObservation | undefined> {
  const { namespace } = ref;
  const run = await client.get(PhaseMigrationRun, ref);
  if (!run) return undefined;
  const { plan, phaseMigrationRef } = run.spec;
  const asking = run.status?.steps?.some(({ name, state }) => name === 'SmokeTest' && state === 'Running') ?? false;
  const [migration, jobs, workloads, smokeTests, runs] = await Promise.all([
    client.get(PhaseMigration, { namespace, name: phaseMigrationRef.name }),
    observeJobs(client, run),
    Promise.all(plan.workloads.map((workload) => observeWorkload(client, namespace, workload))),
    Promise.all(asking ? plan.smokeTests.map((test) => askSmokeTest(client, namespace, test)) : []),
    standsBeforeOutage(run) ? client.list(PhaseMigrationRun, { namespace }) : undefined,
  ]);
  // One that was deleted and created again under the same name is another: this run is not its own.
  const own = migration?.metadata.uid === phaseMigrationRef.uid ? migration : undefined;
  const inUse = workloadsInUse(run, runs?.items ?? []);
  return { now: Date.now(), run, migration: own, workloads, workloadsInUse: inUse, smokeTests, ...jobs };
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
