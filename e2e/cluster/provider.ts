import type { Cluster, OpenOptions, ProviderName } from './cluster.ts';
import { openExisting } from './existing.ts';
import { buildKind, openKind } from './kind.ts';
export type { Cluster, OpenOptions, ProviderName } from './cluster.ts';

/** Brings the cluster up, or finds it up (about a second), and repairs what a killed command has left half-made. */
export function openCluster(options: OpenOptions): Promise<Cluster> {
  const provider = options.provider ?? providerFrom(process.env);
  return provider === 'existing' ? openExisting(options) : openKind(options.progress);
}

/** Builds ahead, into the cache, what `openCluster` needs; starts nothing, and does nothing for a cluster that exists. */
export async function buildCluster({ progress }: OpenOptions): Promise<void> {
  if (providerFrom(process.env) === 'kind') await buildKind(progress);
}

/**
 * The provider that the environment asks for.
 *
 * @throws Error naming the choices when `PHASE_MIGRATION_CLUSTER` is none of them
 */
export function providerFrom(env: NodeJS.ProcessEnv): ProviderName {
  return parseProvider(env.PHASE_MIGRATION_CLUSTER || 'kind', 'PHASE_MIGRATION_CLUSTER');
}

/** @throws Error naming the choices and where the wrong one came from */
export function parseProvider(value: string, source: string): ProviderName {
  if (value === 'kind' || value === 'existing') return value;
  throw new Error(`${source} is '${value}'. Choose kind (the default) or existing (the current kubeconfig context).`);
}
