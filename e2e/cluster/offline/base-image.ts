import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../command.ts';
import { contentHash } from '../hash.ts';
import { cacheFolder } from '../paths.ts';
import type { Progress } from '../progress.ts';
import { buildah } from './buildah.ts';

/** Debian's releases that images here may start from. */
const suites = ['trixie', 'bookworm'] as const;
export type Suite = (typeof suites)[number];

/** What the images that Debian publishes leave out too. */
const leftOut = ['doc', 'man', 'info', 'locale', 'lintian'].map((folder) => `path-exclude=/usr/share/${folder}/*`);

export const baseImageName = (suite: Suite) => `docker.io/library/debian:${suite}-slim`;

/** Which of the base images a Dockerfile starts from. */
export function basesOf(dockerfile: string): Suite[] {
  return suites.filter((suite) =>
    new RegExp(`^FROM\\s+(?:--\\S+\\s+)*(?:docker\\.io/library/)?debian:${suite}-slim(?:\\s|$)`, 'im').test(dockerfile),
  );
}

/** Changes when the base images are made in another way; part of the key of every image built on them. */
export const baseRecipe = contentHash([...suites, ...leftOut]);

/**
 * Puts the image that a Dockerfile calls `debian:trixie-slim` together from Debian packages, once, under the name that
 * it has in the public registry. The caller holds the lock of the image store.
 */
export async function ensureBaseImage(suite: Suite, progress: Progress): Promise<void> {
  const name = baseImageName(suite);
  if ((await buildah(['images', '--quiet', name], { allowFailure: true })).code === 0) return;
  progress(`making the base image debian:${suite}-slim from Debian packages`);
  const folder = join(cacheFolder(), 'images', 'base');
  const rootfs = join(folder, `${suite}.tar`);
  await mkdir(folder, { recursive: true });
  const options = leftOut.map((rule) => `--dpkgopt=${rule}`);
  const sources = await debianSources(suite);
  await run(['mmdebstrap', '--variant=minbase', '--include=ca-certificates', ...options, suite, rootfs, ...sources]);
  try {
    const container = (await buildah(['from', 'scratch'])).stdout.trim();
    await buildah(['add', '--quiet', container, rootfs, '/']);
    await buildah(['config', '--cmd', 'bash', container]);
    await buildah(['commit', '--quiet', '--rm', container, name]);
  } finally {
    await rm(rootfs, { force: true });
  }
}

/** Lines of a sources.list for the suite, on the mirrors that this machine's own apt uses. */
async function debianSources(suite: Suite): Promise<string[]> {
  const format = '$(LABEL) $(REPO_URI)';
  const { stdout } = await run(['apt-get', 'indextargets', '--format', format, 'Created-By: Packages']);
  const mirrors = new Map(stdout.split('\n').map((line) => line.split(' ') as [string, string]));
  const archive = mirrors.get('Debian');
  if (!archive)
    throw new Error("This machine's apt knows no Debian mirror. Add one to /etc/apt and run 'apt-get update'.");
  const security = mirrors.get('Debian-Security');
  const lines = [`deb ${archive} ${suite} main`, `deb ${archive} ${suite}-updates main`];
  return security ? [...lines, `deb ${security} ${suite}-security main`] : lines;
}
