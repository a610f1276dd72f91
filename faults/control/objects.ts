import { API_VERSION } from '../../operator/api/names.ts';
import { plan, type Workload } from '../../operator/api/plan.ts';
import type { PhaseMigration } from '../../operator/api/resources.ts';
import type { KubeClient } from '../../operator/kube/client.ts';
import { Deployment, Namespace, Service, type Pod } from '../../operator/kube/resource-types.ts';
import type { Schema } from './database.ts';

export const APPLICATION_LABEL = { app: 'backend' };
export const REPLICAS = 2;
export const MIGRATION = 'pm';
const IMAGES: Record<Schema, string> = { Old: 'backend:1', New: 'backend:2' };

/** Which schema a pod's image was made for. */
export function versionOf(pod: Pod): Schema {
  return pod.spec?.containers[0]?.image === IMAGES.New ? 'New' : 'Old';
}

/** A namespace with an application of two pods in its old version. */
export async function createApplication(client: KubeClient, namespace: string): Promise<void> {
  await client.create(Namespace, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
  const metadata = { name: 'backend', namespace };
  const template = {
    metadata: { labels: APPLICATION_LABEL },
    // Bound from its beginning: a pod without a node is gone as soon as it is deleted.
    spec: { nodeName: 'node-1', containers: [{ name: 'backend', image: IMAGES.Old }] },
  };
  await client.create(Deployment, {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata,
    spec: { replicas: REPLICAS, selector: { matchLabels: APPLICATION_LABEL }, template },
  });
  await client.create(Service, {
    apiVersion: 'v1',
    kind: 'Service',
    metadata,
    spec: { clusterIP: 'None', selector: APPLICATION_LABEL, ports: [{ port: 80 }] },
  });
}

interface Wishes {
  startPolicy?: Workload['startPolicy'];
  smokeTestSeconds?: number;
}

/** Longer than any fault lasts. */
const PATIENT_SECONDS = 120;

export function phaseMigration(
  namespace: string,
  { startPolicy = 'AfterUnfence', smokeTestSeconds = PATIENT_SECONDS }: Wishes = {},
): PhaseMigration {
  return {
    apiVersion: API_VERSION,
    kind: 'PhaseMigration',
    metadata: { name: MIGRATION, namespace },
    spec: {
      ...plan.parse({
        database: { urlSecretRef: { name: 'database' }, clientRoles: ['application'] },
        migrations: { image: 'migrations:1', from: 'a', to: 'b' },
        workloads: [{ kind: 'Deployment', name: 'backend', images: { backend: IMAGES.New }, startPolicy }],
        backup: { claimName: 'backups' },
        verification: { jobs: [{ name: 'figures', image: 'verification:1' }] },
        smokeTests: [{ name: 'alive', http: { service: 'backend', port: 80 }, timeoutSeconds: smokeTestSeconds }],
      }),
      state: 'Migrated',
      suspend: false,
    },
  };
}
