import { basename, dirname } from 'node:path';
import { bundle } from '../../setup/bundle.ts';
import { buildImage, type ImageSource } from '../cluster/images.ts';
import { cloneRoot } from '../cluster/paths.ts';
import { silent, type Progress } from '../cluster/progress.ts';
import type { Cluster } from '../cluster/provider.ts';

const image = (name: string, target: string, buildArgs: Record<string, string> = {}): ImageSource => ({
  name,
  target,
  buildArgs,
  context: cloneRoot,
});

/** All images of the project; the tags are those that the charts' values and examples/planner name. */
export const imageSources = {
  operator: image('phase-migration-operator:0.1.0', 'operator'),
  runner: image('phase-migration-runner:0.1.0', 'runner'),
  plannerOld: image('planner-backend:1.0.0', 'planner-backend', { VERSION: 'v1' }),
  plannerNew: image('planner-backend:2.0.0', 'planner-backend', { VERSION: 'v2' }),
  migrations: image('planner-migrations:2.0.0', 'planner-migrations'),
  postgres17: image('planner-postgres:17', 'planner-postgres', { PG_MAJOR: '17' }),
  postgres15: image('planner-postgres:15', 'planner-postgres', { PG_MAJOR: '15' }),
} satisfies Record<string, ImageSource>;

export type ImageKey = keyof typeof imageSources;
/** What the demonstration needs; tests need all. */
export const demoImages: ImageKey[] = ['operator', 'runner', 'plannerOld', 'plannerNew', 'migrations', 'postgres17'];
export const allImages = Object.keys(imageSources) as ImageKey[];

export type BuiltImages = Partial<Record<ImageKey, BuiltImage>>;
export interface BuiltImage {
  name: string;
  /** Path of a docker-archive. */
  archive: string;
  /** Differs as soon as anything that the image depends on does. */
  version: string;
}

/**
 * Bundles the programs and builds the images, each only when something that it depends on has changed (warm: about a
 * second for all).
 */
export async function buildImages(progress: Progress = silent, keys: ImageKey[] = allImages): Promise<BuiltImages> {
  await bundle();
  const built: BuiltImages = {};
  // One after the other: they share the disk, most of their layers, and buildah's image store.
  for (const key of keys) {
    const archive = await buildImage(imageSources[key], progress);
    built[key] = { name: imageSources[key].name, archive, version: basename(dirname(archive)) };
  }
  return built;
}

/** Builds the images and makes them usable by the cluster's pods. */
export async function prepareImages(
  cluster: Cluster,
  progress: Progress = silent,
  keys: ImageKey[] = allImages,
): Promise<BuiltImages> {
  const built = await buildImages(progress, keys);
  await loadImages(cluster, built, progress);
  return built;
}

/** Makes images that are built usable by the cluster's pods; those that it has already take no time. */
export async function loadImages(cluster: Cluster, images: BuiltImages, progress: Progress = silent): Promise<void> {
  for (const { name, archive } of Object.values(images)) {
    progress(`bringing ${name} into the cluster`);
    await cluster.loadImages([archive]);
  }
}
