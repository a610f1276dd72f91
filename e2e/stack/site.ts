import { findCluster } from '../cluster/find.ts';
import type { Cluster } from '../cluster/provider.ts';
import { openApi, type Api, type Thing } from './api.ts';
import { imageSources } from './images.ts';
import { isReady, named, pathsIn, type Migration, type Pod, type Run, type Workload } from './objects.ts';
import { installPlanner, rollout, seedText, type Dataset } from './planner.ts';
import { LastingPsql } from './psql.ts';
import { waitUntil } from './wait.ts';

export const oldImage = imageSources.plannerOld.name;
export const newImage = imageSources.plannerNew.name;
/** On everything that one scenario adds to its namespace: gone before the next one. */
export const TEMPORARY_LABEL = 'scenario-only';
/** The planner's database as it was installed: resetting it is a copy of this. */
const PRISTINE = 'planner_pristine';
export const BACKEND = 'planner-backend';

/** A namespace with a planner in it, which scenarios use one after the other. */
export interface Site {
  cluster: Cluster;
  api: Api;
  namespace: string;
  psql: LastingPsql;
  paths: ReturnType<typeof pathsIn>;
  replicas: number;
  /** The Secret of the database's URL, as the chart made it. */
  secret: Record<string, string>;
}

/** Backend pods in scenarios: one more than one, so that "all of them" means something. */
const REPLICAS = 2;

/**
 * Deploys a planner with its data and keeps a copy of its database; takes one that an earlier command deployed whole as
 * it is, since each scenario begins with a reset.
 */
export async function openSite(namespace: string, postgres: 15 | 17): Promise<Site> {
  const cluster = await findCluster();
  const api = await openApi(cluster);
  await untilNotEnding(api, namespace);
  const psql = new LastingPsql(cluster, namespace);
  const isThere = await hasPristineCopy(psql);
  if (!isThere) await installPlanner(cluster, { namespace, postgres, replicas: REPLICAS });
  const paths = pathsIn(namespace);
  const { data } = (await api.get<Thing & { data: Record<string, string> }>(`${paths.secrets}/planner-db`))!;
  const site = { cluster, api, namespace, psql, paths, replicas: REPLICAS, secret: data };
  if (!isThere) await psql.ask(copyDatabase('planner', PRISTINE), 'postgres');
  return site;
}

async function hasPristineCopy(psql: LastingPsql): Promise<boolean> {
  const question = `SELECT count(*) FROM pg_catalog.pg_database WHERE datname = '${PRISTINE}'`;
  return (await psql.ask(question, 'postgres').catch(() => '0')) === '1';
}

/** Removes what scenarios left, and the namespace: a node has room for a few planners only. Does not wait for its end. */
export async function closeSite(site: Site): Promise<void> {
  try {
    await removeMigrations(site);
    await site.api.request('DELETE', namespacePath(site.namespace));
  } finally {
    await site.psql.close();
    await site.api.close();
  }
}

const namespacePath = (namespace: string) => `/api/v1/namespaces/${namespace}`;

/** A namespace that is on its way out takes nothing new. */
async function untilNotEnding(api: Api, namespace: string): Promise<void> {
  await waitUntil(
    api,
    { path: '/api/v1/namespaces', fieldSelector: named(namespace) },
    ([found]: Thing[]) => found?.metadata.deletionTimestamp === undefined || undefined,
    { within: 120, until: `namespace ${namespace} of an earlier command is gone` },
  );
}

function copyDatabase(from: string, to: string): string {
  return `
ALTER DATABASE ${from} ALLOW_CONNECTIONS false;
SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE datname = '${from}';
CREATE DATABASE ${to} TEMPLATE ${from} OWNER planner_owner STRATEGY file_copy;
ALTER DATABASE ${from} ALLOW_CONNECTIONS true;
REVOKE CONNECT, TEMPORARY ON DATABASE ${to} FROM PUBLIC;
GRANT CONNECT ON DATABASE ${to} TO planner_app`;
}

export interface ResetOptions {
  /** Data sets on top of `planner`. */
  data?: Dataset[];
  /** SQL run as superuser in the planner's database afterwards. */
  sql?: string;
}

/** Brings everything back to what it was after the installation: two pods of the old version on the old schema. */
export async function resetSite(site: Site, { data = [], sql: more }: ResetOptions = {}): Promise<void> {
  await removeMigrations(site);
  await removeTemporary(site);
  await databaseReady(site);
  await Promise.all([
    resetDatabase(site),
    site.api.patch(`${site.paths.secrets}/planner-db`, { data: site.secret }),
    site.api.patch(`${site.paths.deployments}/${BACKEND}`, {
      spec: {
        replicas: site.replicas,
        paused: null,
        template: { spec: { containers: await containersWith(site, oldImage) } },
      },
    }),
  ]);
  if (data.length > 0) await site.psql.ask(await seedText(data));
  if (more) await site.psql.ask(more);
  await applicationReady(site, oldImage);
}

/** A scenario that failed may have left PostgreSQL scaled down, or starting. */
async function databaseReady({ api, paths, cluster, namespace }: Site): Promise<void> {
  const path = `${paths.statefulSets}/planner-postgres`;
  const found = await api.get<Workload>(path);
  if (found?.spec.replicas === 1 && found.status?.readyReplicas === 1) return;
  await api.patch(path, { spec: { replicas: 1 } });
  await rollout(cluster, namespace, 'statefulset/planner-postgres');
}

/** A merge patch replaces lists as a whole. */
async function containersWith(site: Site, image: string): Promise<unknown[]> {
  const deployment = await site.api.get<Workload>(`${site.paths.deployments}/${BACKEND}`);
  return deployment!.spec.template.spec.containers.map((container) => ({ ...container, image }));
}

/** Deletes what earlier scenarios left; one that ended as NeedsHuman is let go without its finalizer, as people do. */
async function removeMigrations({ api, paths, namespace }: Site): Promise<void> {
  const all = await api.list<Migration>({ path: paths.migrations });
  for (const { metadata, status } of all) {
    await api.request('DELETE', `${paths.migrations}/${metadata.name}`);
    if (status?.phase === 'NeedsHuman') await withoutFinalizers(api, `${paths.migrations}/${metadata.name}`);
  }
  for (const run of await api.list<Run>({ path: paths.runs }))
    if (run.status?.outcome === 'NeedsHuman') await withoutFinalizers(api, `${paths.runs}/${run.metadata.name}`);
  for (const path of [paths.migrations, paths.runs])
    await waitUntil(api, { path }, (objects) => objects.length === 0 || undefined, {
      within: 60,
      until: `nothing is left of the last scenario at ${path} in namespace ${namespace}`,
      last: (objects) => JSON.stringify(objects.map(({ metadata }) => metadata)),
    });
}

async function withoutFinalizers(api: Api, path: string): Promise<void> {
  if (await api.get(path)) await api.patch(path, { metadata: { finalizers: null } });
}

async function removeTemporary({ api, paths }: Site): Promise<void> {
  const selector = `labelSelector=${TEMPORARY_LABEL}&gracePeriodSeconds=0&propagationPolicy=Background`;
  for (const path of [paths.configMaps, paths.pods, paths.secrets, paths.statefulSets, paths.deployments])
    await api.request('DELETE', `${path}?${selector}`);
  // Services cannot be deleted as a collection on every server.
  for (const { metadata } of await api.list({ path: paths.services, labelSelector: TEMPORARY_LABEL }))
    await api.request('DELETE', `${paths.services}/${metadata.name}`);
}

async function resetDatabase({ psql }: Site): Promise<void> {
  const statements = `
SELECT format('DROP DATABASE %I WITH (FORCE)', datname) FROM pg_catalog.pg_database
WHERE NOT datistemplate AND datname NOT IN ('postgres', '${PRISTINE}') \\gexec
SELECT 'DELETE FROM phasemigration.holder' WHERE to_regclass('phasemigration.holder') IS NOT NULL \\gexec
ALTER ROLE planner_app LOGIN CONNECTION LIMIT -1 VALID UNTIL 'infinity';
${copyDatabase(PRISTINE, 'planner')}`;
  await psql.ask(statements, 'postgres');
}

/** Waits until the backend has exactly its pods, all ready and of this image. @returns their uids, sorted */
export async function applicationReady(site: Site, image: string, within = 60): Promise<string[]> {
  const { api, paths, replicas } = site;
  await waitUntil(
    api,
    { path: paths.deployments, fieldSelector: named(BACKEND) },
    ([deployment]: Workload[]) => {
      const { observedGeneration = 0, updatedReplicas, readyReplicas, replicas: all } = deployment?.status ?? {};
      const isCurrent = observedGeneration >= (deployment?.metadata.generation ?? 0);
      return (isCurrent && updatedReplicas === replicas && readyReplicas === replicas && all === replicas) || undefined;
    },
    { within, until: `${BACKEND} has ${replicas} replicas ready`, last: ([last]) => JSON.stringify(last) },
  );
  return waitUntil(
    api,
    { path: paths.pods, labelSelector: `app.kubernetes.io/name=${BACKEND}` },
    (pods: Pod[]) => {
      const staying = pods.filter(({ metadata }) => !metadata.deletionTimestamp);
      const right = staying.filter((pod) => isReady(pod) && pod.spec.containers[0]?.image === image);
      if (right.length !== replicas || staying.length !== replicas) return undefined;
      return right.map(({ metadata }) => metadata.uid ?? '').sort();
    },
    {
      within,
      until: `${replicas} pods of ${image} are ready`,
      last: (pods) => JSON.stringify((pods as Pod[]).map(({ metadata, status }) => [metadata.name, status?.phase])),
    },
  );
}
