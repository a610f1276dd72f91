import type { KubeClient } from '../kube/client.ts';
import type { Logger } from '../kube/logger.ts';
import { startReflector, type Reflector } from '../kube/reflector.ts';
import { Deployment, Pod, StatefulSet } from '../kube/resource-types.ts';
import { metadataOf, refOfKey } from '../kube/types.ts';
import type { RunObservation, WorkloadObservation } from './decide/observation.ts';

/**
 * Watches the workloads of the runs that go on, and their pods, so that every change of one wakes its run at once.
 * Only for as long as a run goes on: watching all pods of a cluster for the sake of a few would cost memory for nothing.
 */
export class WorkloadWatches {
  private readonly client: KubeClient;
  private readonly logger: Logger;
  private readonly wake: (runKey: string) => void;
  private readonly watches = new Map<string, Map<string, Reflector[]>>();

  constructor(client: KubeClient, logger: Logger, wake: (runKey: string) => void) {
    this.client = client;
    this.logger = logger;
    this.wake = wake;
  }

  /** Begins to watch what this run needs, or stops when it has ended. */
  follow(runKey: string, seen: RunObservation): void {
    if (seen.run.status?.outcome) return this.forget(runKey);
    const own = this.watches.get(runKey) ?? new Map<string, Reflector[]>();
    this.watches.set(runKey, own);
    for (const workload of seen.workloads) {
      const name = `${workload.kind}/${workload.name}/${workload.found?.selector ?? ''}`;
      if (!own.has(name)) own.set(name, this.start(runKey, workload));
    }
  }

  forget(runKey: string): void {
    for (const reflectors of this.watches.get(runKey)?.values() ?? [])
      for (const reflector of reflectors) void reflector.stop();
    this.watches.delete(runKey);
  }

  async stop(): Promise<void> {
    const all = [...this.watches.values()].flatMap((own) => [...own.values()].flat());
    this.watches.clear();
    await Promise.all(all.map((reflector) => reflector.stop()));
  }

  private start(runKey: string, workload: WorkloadObservation): Reflector[] {
    const { namespace } = refOfKey(runKey);
    const common = { client: this.client, namespace, logger: this.logger, onChange: () => this.wake(runKey) };
    const fieldSelector = `metadata.name=${workload.name}`;
    const object =
      workload.kind === 'Deployment'
        ? startReflector({ ...common, type: metadataOf(Deployment), fieldSelector })
        : startReflector({ ...common, type: metadataOf(StatefulSet), fieldSelector });
    if (!workload.found) return [object];
    return [object, startReflector({ ...common, type: metadataOf(Pod), labelSelector: workload.found.selector })];
  }
}
