import { join } from 'node:path';
import { cloneRoot } from '../cluster/paths.ts';
import { silent, type Progress } from '../cluster/progress.ts';
import type { Cluster } from '../cluster/provider.ts';
import { prepareImages, type BuiltImages } from './images.ts';

export const operatorNamespace = 'phase-migration-system';
export const operatorRelease = 'phase-migration-operator';

/** Where an operator runs. */
export interface OperatorPlace {
  namespace: string;
  release: string;
}

export const standardPlace: OperatorPlace = { namespace: operatorNamespace, release: operatorRelease };

/** Selects the pods of the operator that was installed as this release. */
export function podsOf({ release }: OperatorPlace): string {
  return `app.kubernetes.io/instance=${release},app.kubernetes.io/component=operator`;
}

export interface OperatorOptions {
  /** The standard place when left out. */
  place?: OperatorPlace;
  /** What `prepareImages` gave; built and loaded when left out. */
  images?: BuiltImages;
  /** Values of charts/phase-migration-operator that differ from its own. */
  values?: Record<string, unknown>;
  progress?: Progress;
}

/**
 * Installs or upgrades the operator from its chart and waits until both replicas are ready and one has been rolled out
 * with exactly these images.
 *
 * @throws Error with Helm's own message
 */
export async function installOperator(cluster: Cluster, options: OperatorOptions = {}): Promise<void> {
  const { progress = silent } = options;
  const images = options.images ?? (await prepareImages(cluster, progress, ['operator', 'runner']));
  progress('installing the operator');
  // The tag stays the same when the code changes: without this the old pods would go on.
  const podAnnotations = { 'phasemigration.io/image-version': images.operator?.version ?? '' };
  await helmInstall(cluster, {
    ...(options.place ?? standardPlace),
    chart: 'phase-migration-operator',
    values: { podAnnotations, ...options.values },
    wait: true,
  });
}

export interface HelmInstall {
  release: string;
  namespace: string;
  /** Folder in charts/. */
  chart: string;
  /** File in the chart's folder, for instance `values-dev.yaml`. */
  valuesFile?: string;
  values: Record<string, unknown>;
  wait: boolean;
}

/** `helm upgrade --install`, so that it can be repeated. */
export async function helmInstall(cluster: Cluster, install: HelmInstall): Promise<void> {
  const { release, namespace, chart, valuesFile, values, wait } = install;
  const folder = join(cloneRoot, 'charts', chart);
  await cluster.exec(
    [
      ...['helm', 'upgrade', '--install', release, folder, '--namespace', namespace, '--create-namespace'],
      ...(valuesFile ? ['--values', join(folder, valuesFile)] : []),
      ...['--values', '-', '--timeout', '180s'],
      ...(wait ? ['--wait'] : []),
    ],
    { input: JSON.stringify(values) },
  );
}
