import type { Cluster } from '../cluster/provider.ts';
import { openApi, type Thing } from './api.ts';
import { waitUntil } from './wait.ts';

interface Node extends Thing {
  status?: { conditions?: { type: string; status: string }[] };
}

/** A node that answers no more: its kubelet is stopped. What runs on it goes on, and nobody is told of it. */
export class LostNode {
  readonly #cluster: Cluster;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  /** @throws Error on a cluster whose node is not ours to stop */
  async lose(): Promise<void> {
    await this.#run('systemctl', 'stop', 'kubelet');
  }

  async bringBack(): Promise<void> {
    await this.#run('systemctl', 'start', 'kubelet');
    await this.#is('True', 'the node is ready again');
  }

  /** The moment at which the control plane has noticed: it has not heard of the kubelet for 50 s. */
  async isNoticed(): Promise<void> {
    await this.#is('Unknown', 'the control plane has noticed that the node is lost');
  }

  /** SIGKILL for the runner's process: it is gone, and Kubernetes does not hear of it. */
  async killRunner(): Promise<void> {
    await this.#run('pkill', '--signal', 'KILL', '--full', '/app/main[.]mjs run$');
  }

  async #run(...command: string[]): Promise<void> {
    const cluster = this.#cluster;
    if (!cluster.inNode) throw new Error(`The node of cluster ${cluster.name} cannot be reached past Kubernetes.`);
    await cluster.inNode(command);
  }

  async #is(status: string, until: string): Promise<void> {
    const api = await openApi(this.#cluster);
    try {
      await waitUntil(
        api,
        { path: '/api/v1/nodes' },
        (nodes: Node[]) => nodes.every((node) => readiness(node) === status) || undefined,
        { within: 120, until, last: (nodes) => nodes.map((node) => readiness(node as Node)).join(', ') },
      );
    } finally {
      await api.close();
    }
  }
}

function readiness({ status }: Node): string | undefined {
  return status?.conditions?.find(({ type }) => type === 'Ready')?.status;
}
