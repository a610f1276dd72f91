import { rm } from 'node:fs/promises';
import { startControlPlane } from '../../e2e/cluster/control-plane.ts';
import type { Progress } from '../../e2e/cluster/progress.ts';
import { makeThrowawayFolder } from '../../e2e/cluster/throwaway.ts';
import { KubeClient } from '../../operator/kube/client.ts';
import type { Ground } from './attempt.ts';
import { ClusterWatch } from './cluster-watch.ts';
import { createDefinitions } from '../api/definitions.ts';
import type { Gate } from '../pool.ts';
import { ChartRights } from './rights.ts';

/** What PhaseMigrations need of kube-controller-manager; the others would only take the machine's time. */
const CONTROLLERS = [
  'deployment-controller',
  'replicaset-controller',
  'job-controller',
  'garbage-collector-controller',
  'serviceaccount-controller',
  'serviceaccount-token-controller',
  'namespace-controller',
];

export interface GroundOptions {
  quietMilliseconds: number;
  gate: Gate;
  signal: AbortSignal;
  progress: Progress;
}

/** Lends a control plane with the CRDs to `work`, and ends it afterwards. */
export async function withGround<T>(options: GroundOptions, work: (ground: Ground) => Promise<T>): Promise<T> {
  options.progress('starting a control plane');
  const plane = await startControlPlane({ progress: options.progress, controllers: CONTROLLERS });
  const client = KubeClient.fromKubeconfig(plane.kubeconfig);
  const folder = await makeThrowawayFolder('faults');
  let watch: ClusterWatch | undefined;
  try {
    await createDefinitions(client);
    const rights = await ChartRights.read(plane.kubeconfig, options.progress);
    watch = new ClusterWatch(client);
    return await work({ plane, client, watch, folder, rights, ...options });
  } finally {
    await watch?.stop();
    client.close();
    await plane.stop();
    await rm(folder, { recursive: true, force: true });
  }
}
