import { join } from 'node:path';
import { run, type CommandOptions, type CommandResult } from '../command.ts';
import { withLock } from '../lock.ts';
import { cacheFolder } from '../paths.ts';
import type { Progress } from '../progress.ts';
import { ensureSystemPackages } from './system-packages.ts';

/** Runs buildah on an image store of its own in the cache folder. */
export function buildah(args: string[], options: CommandOptions = {}): Promise<CommandResult> {
  const store = join(cacheFolder(), 'images', 'store');
  const folders = ['--root', join(store, 'root'), '--runroot', join(store, 'run'), '--storage-driver', 'overlay'];
  // chroot: the only isolation that works without CAP_SYS_RESOURCE and without a container engine.
  return run(['buildah', ...folders, ...args], { ...options, env: { BUILDAH_ISOLATION: 'chroot', ...options.env } });
}

/**
 * Runs `work` as the only user of the image store, after installing what it needs and removing the working containers
 * that a killed build has left.
 */
export async function withImageStore<T>(progress: Progress, work: () => Promise<T>): Promise<T> {
  await ensureSystemPackages(['buildah', 'mmdebstrap'], progress);
  return withLock(join(cacheFolder(), 'images', 'lock'), progress, async () => {
    await buildah(['rm', '--all'], { allowFailure: true });
    return work();
  });
}
