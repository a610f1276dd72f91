import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { load } from 'js-yaml';
import { cloneRoot } from '../../e2e/cluster/paths.ts';
import type { Workload } from '../../operator/api/plan.ts';
import { imageSources } from '../../e2e/stack/images.ts';
import { newRevision, oldRevision } from '../../e2e/stack/planner.ts';
import { checkScript, type Check } from './check-sql.ts';
import { CONTAINER, DEPLOYMENT, NEW_IMAGE, OLD_IMAGE, POSTGRES_IMAGE, SERVICE } from './planner.ts';

/** Objects that the two ways of migrating need in the cluster. */

export const MIGRATION_NAME = 'phases-to-user-definable';

const container = {
  imagePullPolicy: 'IfNotPresent',
  securityContext: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } },
};
const pod = {
  automountServiceAccountToken: false,
  securityContext: {
    runAsNonRoot: true,
    runAsUser: 65532,
    runAsGroup: 65532,
    seccompProfile: { type: 'RuntimeDefault' },
  },
};

async function yaml(name: string): Promise<unknown> {
  return load(await readFile(join(cloneRoot, 'migrations', 'checks', `${name}.yaml`), 'utf8'));
}

/** The runbook's nine checks as a script for psql. */
export async function forwardChecks(): Promise<string> {
  return checkScript((await yaml('forward')) as Check[]);
}

/** The pod that the prober runs in, and its program. */
export async function proberObjects(): Promise<object[]> {
  const program = await readFile(join(import.meta.dirname, '..', 'prober', 'main.ts'), 'utf8');
  return [
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'prober' }, data: { 'main.ts': program } },
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'prober' },
      spec: {
        ...pod,
        terminationGracePeriodSeconds: 0,
        containers: [
          {
            name: 'prober',
            ...container,
            // Any image with Node: the prober itself is started in it by kubectl exec, once a run.
            image: OLD_IMAGE,
            command: ['node', '-e', 'setInterval(() => {}, 1e9)'],
            volumeMounts: [{ name: 'prober', mountPath: '/prober' }],
          },
        ],
        volumes: [{ name: 'prober', configMap: { name: 'prober' } }],
      },
    },
  ];
}

/** The Jobs of the script, and the SQL that they run: the very migration and checks that the PhaseMigration has. */
export async function scriptObjects(): Promise<{ sql: object; migrate: object; verify: object }> {
  const up = `${newRevision}_transform_phases_to_user_definable.up.sql`;
  const data = {
    'migrate.sql': await readFile(join(cloneRoot, 'migrations', 'sql', up), 'utf8'),
    'verify.sql': await forwardChecks(),
  };
  return {
    sql: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'script-sql' }, data },
    migrate: psqlJob('migrate', ['--single-transaction']),
    verify: psqlJob('verify', []),
  };
}

function psqlJob(name: string, flags: string[]): object {
  const psql = [
    'psql',
    '-X',
    '-q',
    '-v',
    'ON_ERROR_STOP=1',
    ...flags,
    '-f',
    `/sql/${name}.sql`,
    '-d',
    '$(DATABASE_URL)',
  ];
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name },
    spec: {
      backoffLimit: 0,
      template: {
        spec: {
          ...pod,
          restartPolicy: 'Never',
          containers: [
            {
              name,
              ...container,
              image: POSTGRES_IMAGE,
              command: psql,
              env: [{ name: 'DATABASE_URL', valueFrom: { secretKeyRef: { name: 'planner-db', key: 'DATABASE_URL' } } }],
              volumeMounts: [{ name: 'sql', mountPath: '/sql' }],
            },
          ],
          volumes: [{ name: 'sql', configMap: { name: 'script-sql' } }],
        },
      },
    },
  };
}

/** What is applied to have the same done by the operator: all that it does by default, a restore point included. */
export async function phaseMigration(startPolicy: Workload['startPolicy']): Promise<object> {
  return {
    apiVersion: 'phasemigration.io/v1alpha1',
    kind: 'PhaseMigration',
    metadata: { name: MIGRATION_NAME },
    spec: {
      database: { urlSecretRef: { name: 'planner-db' }, clientRoles: ['planner_app'] },
      migrations: { image: imageSources.migrations.name, from: oldRevision, to: newRevision },
      workloads: [{ kind: 'Deployment', name: DEPLOYMENT, images: { [CONTAINER]: NEW_IMAGE }, startPolicy }],
      preflight: { checks: await yaml('preflight') },
      snapshots: await yaml('snapshots'),
      backup: { claimName: 'planner-backups' },
      verification: { checks: await yaml('forward'), rollbackChecks: await yaml('rollback') },
      smokeTests: [{ name: 'ready', http: { service: SERVICE, port: 80, path: '/readyz' } }],
    },
  };
}
