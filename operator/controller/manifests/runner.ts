import { GROUP } from '../../api/names.ts';
import type { PhaseMigrationRun } from '../../api/resources.ts';
import type { Job, Role, RoleBinding, ServiceAccount } from '../../kube/resource-types.ts';
import { labelsOf, ownedBy, restrictedContainer, restrictedPod } from './labels.ts';

/** What the operator's own configuration says of runners. */
export interface RunnerImage {
  image: string;
  pullPolicy: 'Always' | 'IfNotPresent' | 'Never';
  /** Names of Secrets in the namespace of the PhaseMigration. */
  pullSecrets?: string[];
  /** What people call this cluster. */
  clusterName?: string;
}

/** For a pod of a run; a name that is not there does no harm. */
export function imagePullSecrets({ pullSecrets = [] }: RunnerImage): { imagePullSecrets?: { name: string }[] } {
  return pullSecrets.length > 0 ? { imagePullSecrets: pullSecrets.map((name) => ({ name })) } : {};
}

/** Where verification Jobs ask whether they may begin, and where the kubelet asks whether the runner is alive. */
export const GATE_PORT = 8099;
const RUNNER_UID = 65532;
const DATABASE_URL_FOLDER = '/var/run/secrets/phasemigration.io/database';

export function runnerName(run: PhaseMigrationRun): string {
  return `${run.metadata.name}-runner`;
}

export function runnerJobName(run: PhaseMigrationRun, epoch: number): string {
  return `${runnerName(run)}-${epoch}`;
}

/** The runner's own account, role and binding: an earlier run of the same name may have left its own behind. */
function accountName(run: PhaseMigrationRun): string {
  return `${runnerName(run)}-${run.metadata.uid?.slice(0, 8)}`;
}

function metadata(run: PhaseMigrationRun, name: string) {
  return { name, namespace: run.metadata.namespace, ownerReferences: ownedBy(run) };
}

export function runnerServiceAccount(run: PhaseMigrationRun): ServiceAccount {
  return {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: metadata(run, accountName(run)),
    automountServiceAccountToken: false,
  };
}

/** Reads and watches its own run and reports to it; nothing else, and no other run. */
export function runnerRole(run: PhaseMigrationRun): Role {
  const own = { apiGroups: [GROUP], resourceNames: [run.metadata.name] };
  return {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'Role',
    metadata: metadata(run, accountName(run)),
    rules: [
      { ...own, resources: ['phasemigrationruns'], verbs: ['get', 'list', 'watch'] },
      { ...own, resources: ['phasemigrationruns/status'], verbs: ['patch'] },
    ],
  };
}

export function runnerRoleBinding(run: PhaseMigrationRun): RoleBinding {
  const name = accountName(run);
  return {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'RoleBinding',
    metadata: metadata(run, name),
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name },
    subjects: [{ kind: 'ServiceAccount', name, namespace: run.metadata.namespace }],
  };
}

/** The Job of one start of the runner. It is tried once: whether there is another start is the operator's decision. */
export function runnerJob(run: PhaseMigrationRun, epoch: number, runner: RunnerImage): Job {
  const labels = labelsOf(run, 'runner', epoch);
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { ...metadata(run, runnerJobName(run, epoch)), labels },
    spec: {
      backoffLimit: 0,
      podReplacementPolicy: 'Failed',
      template: {
        metadata: { labels },
        spec: {
          serviceAccountName: accountName(run),
          automountServiceAccountToken: true,
          ...imagePullSecrets(runner),
          restartPolicy: 'Never',
          terminationGracePeriodSeconds: 20,
          securityContext: {
            ...restrictedPod,
            runAsUser: RUNNER_UID,
            runAsGroup: RUNNER_UID,
            fsGroup: RUNNER_UID,
            fsGroupChangePolicy: 'OnRootMismatch',
          },
          initContainers: copyMigrations(run),
          containers: [runnerContainer(run, epoch, runner)],
          volumes: volumes(run),
        },
      },
    },
  };
}

function runnerContainer(run: PhaseMigrationRun, epoch: number, runner: RunnerImage) {
  const { urlSecretRef } = run.spec.plan.database;
  const field = (fieldPath: string) => ({ valueFrom: { fieldRef: { fieldPath } } });
  return {
    name: 'runner',
    image: runner.image,
    imagePullPolicy: runner.pullPolicy,
    args: ['run'],
    env: [
      { name: 'RUN_NAMESPACE', ...field('metadata.namespace') },
      { name: 'RUN_NAME', value: run.metadata.name },
      { name: 'RUN_EPOCH', value: String(epoch) },
      { name: 'POD_NAME', ...field('metadata.name') },
      { name: 'POD_IP', ...field('status.podIP') },
      ...(runner.clusterName ? [{ name: 'CLUSTER_NAME', value: runner.clusterName }] : []),
      { name: 'MIGRATIONS_DIR', value: '/migrations' },
      { name: 'BACKUP_DIR', value: '/backup' },
      { name: 'GATE_PORT', value: String(GATE_PORT) },
      { name: 'DATABASE_URL_FILE', value: `${DATABASE_URL_FOLDER}/url` },
      // Tells the kubelet's own reason when the Secret or its key is missing; the file is what is current.
      { name: 'DATABASE_URL', valueFrom: { secretKeyRef: { name: urlSecretRef.name, key: urlSecretRef.key } } },
      ...bucketCredentials(run),
    ],
    securityContext: restrictedContainer,
    terminationMessagePolicy: 'FallbackToLogsOnError',
    resources: { requests: { cpu: '100m', memory: '96Mi' }, limits: { memory: '512Mi' } },
    // A process that hangs looks alive to the Job; the kubelet ends it and the next start goes on.
    livenessProbe: {
      httpGet: { path: '/healthz', port: GATE_PORT },
      initialDelaySeconds: 10,
      periodSeconds: 10,
      timeoutSeconds: 5,
      failureThreshold: 3,
    },
    volumeMounts: [
      { name: 'migrations', mountPath: '/migrations', readOnly: true },
      { name: 'backup', mountPath: '/backup' },
      { name: 'tmp', mountPath: '/tmp' },
      { name: 'database-url', mountPath: DATABASE_URL_FOLDER, readOnly: true },
    ],
  };
}

/** By the names that every AWS client knows. */
function bucketCredentials(run: PhaseMigrationRun) {
  const name = run.spec.plan.backup.s3?.secretRef?.name;
  if (name === undefined) return [];
  const variable = (key: string, optional: boolean) => ({
    name: key,
    valueFrom: { secretKeyRef: { name, key, ...(optional ? { optional } : {}) } },
  });
  return [
    variable('AWS_ACCESS_KEY_ID', false),
    variable('AWS_SECRET_ACCESS_KEY', false),
    variable('AWS_SESSION_TOKEN', true),
  ];
}

/** The user's image carries the files over; the runner itself never runs from it. */
function copyMigrations(run: PhaseMigrationRun) {
  const { image, path } = run.spec.plan.migrations;
  if (!image) return [];
  return [
    {
      name: 'migrations',
      image,
      command: ['cp', '-R', `${path}/.`, '/target'],
      securityContext: restrictedContainer,
      terminationMessagePolicy: 'FallbackToLogsOnError',
      resources: { requests: { cpu: '10m', memory: '16Mi' }, limits: { memory: '128Mi' } },
      volumeMounts: [{ name: 'migrations', mountPath: '/target' }],
    },
  ];
}

function volumes(run: PhaseMigrationRun) {
  const { backup, database, migrations } = run.spec.plan;
  // Optional: a missing ConfigMap would keep the pod in ContainerCreating without a word in its status; the runner says it.
  const files = migrations.configMapRef
    ? { configMap: { name: migrations.configMapRef.name, optional: true } }
    : { emptyDir: {} };
  return [
    { name: 'migrations', ...files },
    { name: 'backup', persistentVolumeClaim: { claimName: backup.claimName } },
    { name: 'tmp', emptyDir: {} },
    {
      name: 'database-url',
      secret: {
        secretName: database.urlSecretRef.name,
        items: [{ key: database.urlSecretRef.key, path: 'url' }],
        optional: true,
        defaultMode: 0o440,
      },
    },
  ];
}
