import type {
  PhaseMigration as MigrationObject,
  PhaseMigrationRun as RunObject,
} from '../../operator/api/resources.ts';
import { PhaseMigration, PhaseMigrationRun } from '../../operator/controller/resource-types.ts';
import type { KubeClient } from '../../operator/kube/client.ts';
import { silentLogger } from '../../operator/kube/logger.ts';
import { isDeleted, startReflector, type Change, type Reflector } from '../../operator/kube/reflector.ts';
import { Pod } from '../../operator/kube/resource-types.ts';
import type { KubeObject, ResourceType } from '../../operator/kube/types.ts';

/** What is in one namespace, as the watches know it. */
export interface Seen {
  readonly pods: Map<string, Pod>;
  readonly runs: Map<string, RunObject>;
  readonly migrations: Map<string, MigrationObject>;
}

/** One set of watches for the namespaces of all runs that go on; they lead past every fault. */
export class ClusterWatch {
  private readonly namespaces = new Map<string, { seen: Seen; changed: () => void }>();
  private readonly reflectors: Reflector[];

  constructor(client: KubeClient) {
    const watch = <T extends KubeObject>(type: ResourceType<T>, mapOf: (seen: Seen) => Map<string, T>) =>
      startReflector<T>({ client, type, logger: silentLogger, onChange: (change) => this.note(change, mapOf) });
    this.reflectors = [
      watch(Pod, ({ pods }) => pods),
      watch(PhaseMigrationRun, ({ runs }) => runs),
      watch(PhaseMigration, ({ migrations }) => migrations),
    ];
  }

  /** From now on `changed` is called after every change in the namespace, of which nothing may be there yet. */
  follow(namespace: string, changed: () => void): Seen {
    const seen: Seen = { pods: new Map(), runs: new Map(), migrations: new Map() };
    this.namespaces.set(namespace, { seen, changed });
    return seen;
  }

  forget(namespace: string): void {
    this.namespaces.delete(namespace);
  }

  async stop(): Promise<void> {
    await Promise.all(this.reflectors.map((reflector) => reflector.stop()));
  }

  private note<T extends KubeObject>(change: Change<T>, mapOf: (seen: Seen) => Map<string, T>): void {
    const { namespace = '', name } = isDeleted(change) ? change.deleted : change.metadata;
    const followed = this.namespaces.get(namespace);
    if (!followed) return;
    if (isDeleted(change)) mapOf(followed.seen).delete(name);
    else mapOf(followed.seen).set(name, change);
    followed.changed();
  }
}
