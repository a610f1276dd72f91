import { setTimeout as delay } from 'node:timers/promises';
import type { KubeClient } from '../../operator/kube/client.ts';
import { Pod } from '../../operator/kube/resource-types.ts';
import type { KubeObject, ObjectRef, ResourceType } from '../../operator/kube/types.ts';
import { refOf } from '../../operator/kube/types.ts';

/** A pod takes so long to end once it was told to. */
const TERMINATION_MILLISECONDS = 500;
/** From its node to its first container. */
const START_MILLISECONDS = 1000;
export const NODE = 'node-1';
export const POD_ADDRESS = '10.0.0.1';

/** Posting one is how the scheduler gives a pod its node: from then on it ends when its kubelet says so. */
const Binding: ResourceType<KubeObject & { target: object }> = {
  group: '',
  version: 'v1',
  kind: 'Binding',
  plural: 'bindings',
  namespaced: true,
};

/** What scheduler and kubelet do with pods; there are neither. Everything is said to the API server directly. */
export class Kubelet {
  private readonly client: KubeClient;

  constructor(client: KubeClient) {
    this.client = client;
  }

  /** Resolves when its first container is about to start. */
  async bind(pod: Pod): Promise<void> {
    if (pod.spec?.nodeName) return;
    await this.client.create(Binding, {
      apiVersion: 'v1',
      kind: 'Binding',
      metadata: refOf(pod),
      target: { apiVersion: 'v1', kind: 'Node', name: NODE },
    });
    await delay(START_MILLISECONDS);
  }

  /** Every container has stopped. */
  async remove(pod: Pod, afterMilliseconds = TERMINATION_MILLISECONDS): Promise<void> {
    await delay(afterMilliseconds);
    const { uid } = pod.metadata;
    await this.client.delete(Pod, refOf(pod), { gracePeriodSeconds: 0, preconditions: { uid } });
  }

  async ready(pod: Pod): Promise<void> {
    const conditions = ['PodScheduled', 'Initialized', 'ContainersReady', 'Ready'].map((type) => ({
      type,
      status: 'True',
    }));
    await this.report(refOf(pod), {
      phase: 'Running',
      podIP: POD_ADDRESS,
      podIPs: [{ ip: POD_ADDRESS }],
      conditions,
      containerStatuses: statuses(pod, { running: { startedAt: new Date().toISOString() } }),
    });
  }

  /** Its init containers are at work. */
  async initialising(pod: Pod): Promise<void> {
    const initContainerStatuses = statuses(
      pod,
      { running: { startedAt: new Date().toISOString() } },
      pod.spec?.initContainers,
    );
    await this.report(refOf(pod), { phase: 'Pending', podIP: POD_ADDRESS, initContainerStatuses });
  }

  async ended(pod: Pod, exitCode: number): Promise<void> {
    const finishedAt = new Date().toISOString();
    const state = { terminated: { exitCode, reason: exitCode === 0 ? 'Completed' : 'Error', finishedAt } };
    await this.report(refOf(pod), {
      phase: exitCode === 0 ? 'Succeeded' : 'Failed',
      conditions: [{ type: 'Ready', status: 'False' }],
      containerStatuses: statuses(pod, state),
    });
  }

  private async report(ref: ObjectRef, status: object): Promise<void> {
    await this.client.patch(Pod, ref, { kind: 'Merge', subresource: 'status', body: { status } });
  }
}

function statuses(pod: Pod, state: object, containers = pod.spec?.containers) {
  const ready = 'running' in state;
  return containers?.map(({ name, image }) => ({ name, image, imageID: image, ready, restartCount: 0, state }));
}

export function isReady({ status }: Pod): boolean {
  return status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') ?? false;
}

export function hasEnded({ status }: Pod): boolean {
  return status?.phase === 'Succeeded' || status?.phase === 'Failed';
}
