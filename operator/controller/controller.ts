import { GROUP, MANAGED_BY_LABEL, OPERATOR_NAME, RUN_LABEL } from '../api/names.ts';
import type { KubeClient } from '../kube/client.ts';
import type { EventRecorder } from '../kube/events.ts';
import type { Logger } from '../kube/logger.ts';
import type { ToolkitMetrics } from '../kube/metrics.ts';
import { WorkQueue } from '../kube/queue.ts';
import { isDeleted, startReflector, type Change, type Reflector } from '../kube/reflector.ts';
import { Job, Pod } from '../kube/resource-types.ts';
import { keyOf, metadataOf, refOf, type KubeObject, type ObjectRef, type ResourceType } from '../kube/types.ts';
import type { RunnerImage } from './manifests/runner.ts';
import { QuickLooks } from './quick-looks.ts';
import { reconcileMigration } from './reconcile-migration.ts';
import { reconcileRun } from './reconcile-run.ts';
import { PhaseMigration, PhaseMigrationRun } from './resource-types.ts';
import { Turns } from './turns.ts';
import { WorkloadWatches } from './workload-watches.ts';

export interface ControllerOptions {
  client: KubeClient;
  events: EventRecorder;
  logger: Logger;
  metrics: ToolkitMetrics;
  runner: RunnerImage;
  /** Empty: all namespaces. */
  namespaces: string[];
}

export interface Controller {
  hasSynced(): boolean;
  /** Resolves when nothing is under way any more. */
  stop(): Promise<void>;
}

const CONCURRENCY = 4;
/**
 * A runner reports several times within some milliseconds of an outage: they are summed up together. Every summary
 * keeps the API server from what the outage waits for.
 */
const SUMMARY_DELAY_MILLISECONDS = 500;
const BACKOFF = { baseMilliseconds: 100, capMilliseconds: 30_000 };

/** Watches everything that can move a run on and reconciles whatever changed. */
export function startController(options: ControllerOptions): Controller {
  const { client, events, logger, metrics } = options;
  const watches = new WorkloadWatches(client, logger, (key) => runs.add(key));
  const parts = {
    client,
    events,
    logger,
    runner: options.runner,
    watches,
    looks: new QuickLooks(),
    outages: new Turns(),
  };
  const queue = (name: string, process: (key: string) => ReturnType<typeof reconcileRun>) => {
    const observer = metrics.queueObserver(name);
    const made = new WorkQueue({
      process,
      concurrency: CONCURRENCY,
      backoff: BACKOFF,
      logger: logger.child({ controller: name }),
      observer,
    });
    metrics.watchQueue(name, made);
    return made;
  };
  const runs = queue('phasemigrationrun', (key) => reconcileRun(parts, key));
  const migrations = queue('phasemigration', (key) =>
    reconcileMigration({ client, events, wakeRun: (ref) => runs.add(keyOf(ref)) }, key),
  );
  const reflectors = startReflectors(options, { runs, migrations });
  return {
    hasSynced: () => reflectors.every((reflector) => reflector.hasSynced()),
    stop: async () => {
      await Promise.all([...reflectors.map((reflector) => reflector.stop()), watches.stop()]);
      await Promise.all([runs.shutdown(), migrations.shutdown()]);
    },
  };
}

function startReflectors(options: ControllerOptions, queues: { runs: WorkQueue; migrations: WorkQueue }): Reflector[] {
  const { client, logger, namespaces } = options;
  const { runs, migrations } = queues;
  const ours = `${MANAGED_BY_LABEL}=${OPERATOR_NAME}`;
  const scopes: (string | undefined)[] = namespaces.length > 0 ? namespaces : [undefined];
  return scopes.flatMap((namespace) => {
    // Everything is read anew when it is decided on; what wakes need be no more than names and labels.
    const watch = (type: ResourceType<KubeObject>, onChange: (change: Change<KubeObject>) => void, selector?: string) =>
      startReflector({ client, type: metadataOf(type), namespace, labelSelector: selector, logger, onChange });
    return [
      watch(PhaseMigration, (change) => migrations.add(keyOf(refOfChange(change)))),
      watch(PhaseMigrationRun, (change) => {
        const ref = refOfChange(change);
        runs.add(keyOf(ref));
        const migration = (isDeleted(change) ? change.lastState : change)?.metadata.labels?.[`${GROUP}/migration`];
        if (migration)
          migrations.addAfter(keyOf({ namespace: ref.namespace, name: migration }), SUMMARY_DELAY_MILLISECONDS);
      }),
      watch(Job, (change) => wakeRunOf(change, runs), ours),
      watch(Pod, (change) => wakeRunOf(change, runs), ours),
    ];
  });
}

function refOfChange(change: Change<KubeObject>): ObjectRef {
  return isDeleted(change) ? change.deleted : refOf(change);
}

function wakeRunOf(change: Change<KubeObject>, runs: WorkQueue): void {
  const object = isDeleted(change) ? change.lastState : change;
  const name = object?.metadata.labels?.[RUN_LABEL];
  if (object && name) runs.add(keyOf({ namespace: object.metadata.namespace, name }));
}
