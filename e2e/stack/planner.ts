import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cloneRoot } from '../cluster/paths.ts';
import { silent, type Progress } from '../cluster/progress.ts';
import type { Cluster } from '../cluster/provider.ts';
import { openApi, type Thing } from './api.ts';
import { imageSources } from './images.ts';
import { helmInstall } from './operator.ts';
import { podEnd, type EndedPod } from './pod-end.ts';
import { sql } from './psql.ts';
import { waitUntil } from './wait.ts';

/** Revision of the planner's old schema, which backend 1.0.0 needs. */
export const oldRevision = '976e6adbac6f';
/** Revision of its new schema, which backend 2.0.0 needs. */
export const newRevision = '92023c163a26';

/** A file of migrations/seed, without `.sql`. */
export type Dataset =
  | 'planner'
  | 'scale-1000000'
  | 'null-dates'
  | 'no-phases'
  | 'orphaned-assignments'
  | 'all-outside'
  | 'unbalanced-budget'
  | 'uncovered-projects';

export interface PlannerOptions {
  namespace: string;
  /** Major version of its PostgreSQL; 17 when left out. */
  postgres?: 15 | 17;
  /** Backend pods; 3 when left out. */
  replicas?: number;
  /** Data sets to load, in this order and in one session; `planner` when left out. */
  data?: Dataset[];
  /** Values of charts/planner that differ from its values-dev.yaml. */
  values?: Record<string, unknown>;
  progress?: Progress;
}

/**
 * Deploys the planner's old version with its data: PostgreSQL, the schema 976e6adbac6f with the runner's ledger, the
 * rows, and the backend ready. The namespace enforces the pod security level restricted.
 *
 * @throws Error saying which part did not become ready
 */
export async function installPlanner(cluster: Cluster, options: PlannerOptions): Promise<void> {
  const { namespace, data = ['planner'], progress = silent } = options;
  await makeNamespace(cluster, namespace);
  progress('installing the planner');
  await helmInstall(cluster, {
    release: 'planner',
    namespace,
    chart: 'planner',
    valuesFile: 'values-dev.yaml',
    values: {
      backend: { replicas: options.replicas ?? 3 },
      postgres: { image: { tag: String(options.postgres ?? 17) } },
      ...options.values,
    },
    // The backend is not ready before its schema is there.
    wait: false,
  });
  await rollout(cluster, namespace, 'statefulset/planner-postgres');
  progress(`making the planner’s schema ${oldRevision}`);
  await migrateByHand(cluster, namespace, oldRevision);
  progress(`loading the planner’s data: ${data.join(', ')}`);
  await seedPlanner(cluster, namespace, data);
  progress('waiting for the planner’s backend');
  await rollout(cluster, namespace, 'deployment/planner-backend');
}

/** Makes the namespace if it is not there; its pods must satisfy the pod security level restricted. */
export async function makeNamespace(cluster: Cluster, name: string): Promise<void> {
  const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' };
  const manifest = { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } };
  await cluster.exec(['kubectl', 'apply', '-f', '-'], { input: JSON.stringify(manifest) });
}

/** Loads data sets of migrations/seed, all in one session, as the database's superuser. */
export async function seedPlanner(cluster: Cluster, namespace: string, data: Dataset[]): Promise<void> {
  await sql(cluster, namespace, await seedText(data));
}

/** What loads data sets of migrations/seed. */
export async function seedText(data: Dataset[]): Promise<string> {
  const texts = await Promise.all(
    data.map((name) => readFile(join(cloneRoot, 'migrations', 'seed', `${name}.sql`), 'utf8')),
  );
  return texts.join('\n');
}

/** Brings the planner's database to a revision with the runner's `migrate`, outside any run, as a first deployment does. */
export async function migrateByHand(cluster: Cluster, namespace: string, revision: string): Promise<void> {
  const name = `migrate-${revision}`;
  const selection = [`--namespace=${namespace}`, `pod/${name}`];
  await cluster.exec(['kubectl', 'delete', ...selection, '--ignore-not-found', '--wait']);
  await cluster.exec(['kubectl', 'create', '-f', '-'], {
    input: JSON.stringify(migrationPod(namespace, name, revision)),
  });
  const api = await openApi(cluster);
  const end = await waitUntil(
    api,
    { path: `/api/v1/namespaces/${namespace}/pods`, fieldSelector: `metadata.name=${name}` },
    ([pod]: (Thing & EndedPod)[]) => pod && podEnd(pod),
    { within: 90, until: `pod ${name} in namespace ${namespace} has ended`, last: (pods) => JSON.stringify(pods) },
  ).finally(() => api.close());
  if (end.succeeded) return;
  const logs = await cluster.exec(['kubectl', 'logs', ...selection, '--all-containers'], { allowFailure: true });
  const story = [end.story, logs.stdout.slice(-4000)].join('\n');
  throw new Error(`The planner's schema could not be brought to ${revision}:\n${story}`);
}

function migrationPod(namespace: string, name: string, revision: string) {
  const securityContext = {
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ['ALL'] },
  };
  const volumeMounts = [{ name: 'migrations', mountPath: '/migrations' }];
  const secretKeyRef = { name: 'planner-db', key: 'DATABASE_URL' };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, labels: { 'app.kubernetes.io/name': 'planner-migrate' } },
    spec: {
      restartPolicy: 'Never',
      automountServiceAccountToken: false,
      securityContext: {
        runAsNonRoot: true,
        runAsUser: 65532,
        runAsGroup: 65532,
        seccompProfile: { type: 'RuntimeDefault' },
      },
      initContainers: [
        {
          name: 'migrations',
          image: imageSources.migrations.name,
          command: ['cp', '-R', '/migrations/.', '/target'],
          securityContext,
          volumeMounts: [{ name: 'migrations', mountPath: '/target' }],
        },
      ],
      containers: [
        {
          name: 'migrate',
          image: imageSources.runner.name,
          args: ['migrate', '--to', revision],
          env: [{ name: 'DATABASE_URL', valueFrom: { secretKeyRef } }],
          securityContext,
          volumeMounts,
        },
      ],
      volumes: [{ name: 'migrations', emptyDir: {} }],
    },
  };
}

/** Waits until a workload is rolled out; on time-out says what its pods wait for. */
export async function rollout(cluster: Cluster, namespace: string, workload: string): Promise<void> {
  try {
    await cluster.exec(['kubectl', 'rollout', 'status', workload, `--namespace=${namespace}`, '--timeout=240s']);
  } catch (error) {
    const pods = await cluster.exec(['kubectl', 'describe', 'pods', `--namespace=${namespace}`], {
      allowFailure: true,
    });
    throw new Error(`${workload} in namespace ${namespace} did not become ready. Its pods:\n${pods.stdout}`, {
      cause: error,
    });
  }
}
