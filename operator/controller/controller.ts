import { GROUP, MANAGED_BY_LABEL, OPERATOR_NAME, RUN_LABEL } from '../api/names.ts';
import type { KubeClient } from '../kube/client.ts';
import type { EventRecorder } from '../kube/events.ts';
import type { Logger } from '../kube/logger.ts';
import type { ToolkitMetrics } from '../kube/metrics.ts';
import { WorkQueue } from '../kube/queue.ts';
import { isDeleted, startReflector, type Change, type Reflector } from '../kube/reflector.ts';
import { Job, Pod } from '../kube/resource-types.ts';
import { keyOf, refOf, type KubeObject, type ObjectRef, type ResourceType } from '../kube/types.ts';
import type { RunnerImage } from './manifests/runner.ts';
import { reconcileMigration } from './reconcile-migration.ts';
import { reconcileRun } from './reconcile-run.ts';
import { PhaseMigration, PhaseMigrationRun } from './resource-types.ts';
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
/** A runner reports several times within some milliseconds of an outage: they are summed up together. */
const SUMMARY_DELAY_MILLISECONDS = 100;
const BACKOFF = { baseMilliseconds: 100, capMilliseconds: 30_000 };

/** Watches everything that can move a run on and reconciles whatever changed. */
export function startController(options: ControllerOptions): Controller {
  const { client, events, logger, metrics } = options;
  const watches = new WorkloadWatches(client, logger, (key) => runs.add(key));
  const parts = { client, events, logger, runner: options.runner, watches };
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
  const migrations = queue('phasemigration', (key) => reconcileMigration(parts, key));
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
  const wishes = new Wishes();
  const ours = `${MANAGED_BY_LABEL}=${OPERATOR_NAME}`;
  const scopes: (string | undefined)[] = namespaces.length > 0 ? namespaces : [undefined];
  return scopes.flatMap((namespace) => {
    const watch = <T extends KubeObject>(
      type: ResourceType<T>,
      onChange: (change: Change<T>) => void,
      labelSelector?: string,
    ) => startReflector({ client, type, namespace, labelSelector, logger, onChange });
    return [
      watch(PhaseMigration, (change) => {
        const ref = refOfChange(change);
        const key = keyOf(ref);
        migrations.add(key);
        const migration = isDeleted(change) ? change.lastState : change;
        const runName = migration?.status?.runName;
        if (runName && wishes.hasChanged(key, change)) runs.add(keyOf({ namespace: ref.namespace, name: runName }));
      }),
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

/**
 * What people want of each PhaseMigration, as last seen. Its status is written by this operator: were a run looked at
 * after each of those writes too, the outage would pay for them.
 */
class Wishes {
  private readonly seen = new Map<string, string>();

  hasChanged(key: string, change: Change<KubeObject>): boolean {
    if (isDeleted(change)) {
      this.seen.delete(key);
      return true;
    }
    const { generation, deletionTimestamp } = change.metadata;
    const wish = `${generation} ${deletionTimestamp ?? ''}`;
    const changed = this.seen.get(key) !== wish;
    this.seen.set(key, wish);
    return changed;
  }
}
