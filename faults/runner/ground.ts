import { rm } from 'node:fs/promises';
import { startControlPlane, type ControlPlane } from '../../e2e/cluster/control-plane.ts';
import { startPostgres, type Postgres } from '../../e2e/cluster/postgres.ts';
import type { Progress } from '../../e2e/cluster/progress.ts';
import { makeThrowawayFolder } from '../../e2e/cluster/throwaway.ts';
import { KubeClient } from '../../operator/kube/client.ts';
import { Namespace } from '../../operator/kube/resource-types.ts';
import { createDefinitions } from '../api/definitions.ts';

/** What all runs of a sweep share. */
export interface Ground {
  plane: ControlPlane;
  client: KubeClient;
  server: Postgres;
  folder: string;
  signal: AbortSignal;
}

/** Where scenarios say that their runs are. */
const NAMESPACE = 'shop';

/** Lends an API server with the CRDs and a PostgreSQL to `work`, and ends both afterwards. */
export async function withGround<T>(
  { progress, signal }: { progress: Progress; signal: AbortSignal },
  work: (ground: Ground) => Promise<T>,
): Promise<T> {
  progress('starting a control plane and a PostgreSQL');
  const folder = await makeThrowawayFolder('faults');
  // A control plane counts as ready when namespaces get their account; no other controller has to do with a run.
  const plane = await startControlPlane({
    progress,
    controllers: ['namespace-controller', 'serviceaccount-controller'],
  });
  const client = KubeClient.fromKubeconfig(plane.kubeconfig);
  let server: Postgres | undefined;
  try {
    server = await startPostgres({ settings: { max_connections: '300' } });
    await createDefinitions(client);
    await client.create(Namespace, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } });
    return await work({ plane, client, server, folder, signal });
  } finally {
    await server?.stop();
    client.close();
    await plane.stop();
    await rm(folder, { recursive: true, force: true });
  }
}
