import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { contextParts } from './build-context.ts';
import { run } from './command.ts';
import { canPull, hasDockerEngine } from './docker.ts';
import { contentHash } from './hash.ts';
import { baseRecipe, basesOf, ensureBaseImage } from './offline/base-image.ts';
import { buildah, withImageStore } from './offline/buildah.ts';
import { cacheFolder } from './paths.ts';
import { silent, type Progress } from './progress.ts';

export interface ImageSource {
  /** Name with tag, as pods refer to it, for instance `planner-backend:2.0.0`. */
  name: string;
  /** Folder that the Dockerfile's COPY reads from; its .dockerignore is respected. */
  context: string;
  /** Path of the Dockerfile; `Dockerfile` in the context when left out. */
  dockerfile?: string;
  /** Stage to stop at. */
  target?: string;
  buildArgs?: Record<string, string>;
}

/**
 * Builds an image and gives the path of a docker-archive with it, for `Cluster.loadImages`. The path is named after
 * all that the image depends on: nothing is built when it is there already.
 *
 * A Docker engine that can reach a registry builds it; otherwise buildah does, on Debian base images made here.
 *
 * @throws Error with the last lines of the build
 */
export async function buildImage(source: ImageSource, progress: Progress = silent): Promise<string> {
  const dockerfile = source.dockerfile ?? join(source.context, 'Dockerfile');
  const text = await readFile(dockerfile, 'utf8');
  const archive = await archivePath(source, text);
  if (existsSync(archive)) {
    progress(`${source.name} is built already`);
    return archive;
  }

  const bases = basesOf(text);
  const unfinished = `${archive}.${process.pid}.unfinished`;
  await mkdir(join(archive, '..'), { recursive: true });
  progress(`building the image ${source.name}`);
  try {
    if (await dockerBuilds(bases.map((suite) => `debian:${suite}-slim`))) {
      await run(['docker', 'build', ...buildArguments(source, dockerfile)]);
      await run(['docker', 'save', '--output', unfinished, source.name]);
    } else {
      await withImageStore(progress, async () => {
        for (const suite of bases) await ensureBaseImage(suite, progress);
        const local = ['--layers', '--pull-never', '--network=host'];
        await buildah(['bud', ...local, ...buildArguments(source, dockerfile)]);
        await buildah(['push', '--quiet', source.name, `docker-archive:${unfinished}:${source.name}`]);
      });
    }
    await rename(unfinished, archive);
  } finally {
    await rm(unfinished, { force: true });
  }
  return archive;
}

async function archivePath(source: ImageSource, dockerfile: string): Promise<string> {
  const args = Object.entries(source.buildArgs ?? {}).map(([name, value]) => `${name}=${value}`);
  const parts = [process.arch, baseRecipe, source.name, dockerfile, source.target ?? '', ...args.sort()];
  const hash = contentHash([...parts, ...(await contextParts(source.context))]);
  return join(cacheFolder(), 'images', 'archives', hash, `${source.name.replaceAll(/[^\w.-]+/g, '-')}.tar`);
}

async function dockerBuilds(bases: string[]): Promise<boolean> {
  if (!(await hasDockerEngine())) return false;
  return (await Promise.all(bases.map(canPull))).every(Boolean);
}

function buildArguments(source: ImageSource, dockerfile: string): string[] {
  const target = source.target ? ['--target', source.target] : [];
  const args = Object.entries(source.buildArgs ?? {}).flatMap(([name, value]) => ['--build-arg', `${name}=${value}`]);
  return ['--tag', source.name, '--file', dockerfile, ...target, ...args, source.context];
}
