import type { Cluster } from '../cluster/provider.ts';
import type { Progress } from '../cluster/progress.ts';
import { openApi, type Api } from './api.ts';
import { prepareImages } from './images.ts';
import { installOperator } from './operator.ts';
import { makeNamespace } from './planner.ts';
import { pathsIn } from './objects.ts';
import { waitUntil } from './wait.ts';

export interface SiteKind {
  /** Major version of PostgreSQL. */
  postgres: 15 | 17;
  /** It has an operator to itself, which can be killed without disturbing the scenarios of other namespaces. */
  ownOperator?: boolean;
}

/** The namespaces that scenarios are played in; each belongs to one `describe`. */
export const sites = {
  'e2e-success': { postgres: 17 },
  'e2e-postgres-15': { postgres: 15 },
  'e2e-bad-input': { postgres: 17 },
  'e2e-failures': { postgres: 17 },
  'e2e-interference': { postgres: 17 },
  'e2e-operator-killed': { postgres: 17, ownOperator: true },
  'e2e-operator-killed-back': { postgres: 15, ownOperator: true },
  'e2e-runner-killed': { postgres: 17 },
  'e2e-runner-killed-back': { postgres: 17 },
  'e2e-postgres-restarted': { postgres: 17 },
  'e2e-node-lost': { postgres: 17 },
} satisfies Record<string, SiteKind>;

export type SiteName = keyof typeof sites;

const names = Object.keys(sites) as SiteName[];
const kindOf = (name: SiteName): SiteKind => sites[name];

/**
 * Everything that scenarios share: images in the cluster, empty namespaces, and the operator, which leaves those alone
 * that have one to themselves. What an earlier command left is removed first.
 */
export async function prepareScenarios(cluster: Cluster, progress: Progress): Promise<void> {
  const images = await prepareImages(cluster, progress);
  await removeSites(cluster, progress);
  progress('making the namespaces of the scenarios');
  await Promise.all(names.map((name) => makeNamespace(cluster, name)));
  const watchNamespaces = names.filter((name) => !kindOf(name).ownOperator);
  await installOperator(cluster, { images, values: { watchNamespaces }, progress });
}

/** Removes the namespaces with everything in them, and lets the operator look after all namespaces again. */
export async function removeScenarios(cluster: Cluster, progress: Progress): Promise<void> {
  await removeSites(cluster, progress);
  progress('letting the operator look after all namespaces');
  await installOperator(cluster, { images: {}, values: { watchNamespaces: [] } });
}

async function removeSites(cluster: Cluster, progress: Progress): Promise<void> {
  const api = await openApi(cluster);
  try {
    const all = await api.list({ path: '/api/v1/namespaces' });
    const there = names.filter((name) => all.some(({ metadata }) => metadata.name === name));
    if (there.length === 0) return;
    progress(`removing the namespaces of ${there.length} scenarios`);
    await Promise.all(there.map((name) => removeNamespace(api, name)));
    await waitUntil(
      api,
      { path: '/api/v1/namespaces' },
      (namespaces) => namespaces.every(({ metadata }) => !there.includes(metadata.name as SiteName)) || undefined,
      {
        within: 180,
        until: 'the namespaces of earlier scenarios are gone',
        last: (namespaces) => namespaces.map(({ metadata }) => metadata.name).join(', '),
      },
    );
  } finally {
    await api.close();
  }
}

/** Without their finalizers: the operator loses its permissions with the namespace and could not take them away. */
async function removeNamespace(api: Api, name: string): Promise<void> {
  const { migrations, runs } = pathsIn(name);
  for (const path of [migrations, runs]) {
    const found = await api.list({ path }).catch(() => []);
    for (const { metadata } of found.filter(({ metadata }) => metadata.finalizers?.length))
      await api.patch(`${path}/${metadata.name}`, { metadata: { finalizers: null } });
  }
  const { status, text } = await api.request('DELETE', `/api/v1/namespaces/${name}`);
  if (status >= 300 && status !== 404 && status !== 409)
    throw new Error(`Namespace ${name} cannot be deleted: ${text}`);
}
