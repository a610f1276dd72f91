import { open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';

/**
 * Gives an empty folder a disk of its own, in memory, which is full after so many mebibytes. Needs root; it is
 * unmounted by {@link unmountBelow}, at the latest when the throw-away folder around it is removed.
 */
export async function mountSmallDisk(folder: string, mebibytes: number): Promise<void> {
  await execa('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m,mode=0700`, 'phase-migration', folder]);
}

/** Unmounts whatever is mounted at a folder or below it. */
export async function unmountBelow(folder: string): Promise<void> {
  const mounts = await readFile('/proc/self/mounts', 'utf8').catch(() => '');
  const places = mounts.split('\n').flatMap((line) => line.split(' ')[1] ?? []);
  const below = places.filter((place) => place === folder || place.startsWith(`${folder}/`));
  for (const place of below.reverse()) await execa('umount', ['--lazy', place]);
}

/** Leaves no byte free on the disk of a folder. Returns what makes room again. */
export async function fillDisk(folder: string): Promise<() => Promise<void>> {
  const path = join(folder, 'filler');
  const file = await open(path, 'w');
  try {
    for (const bytes of [1 << 20, 1 << 12, 1]) await writeUntilFull(file, Buffer.alloc(bytes));
  } finally {
    await file.close();
  }
  return () => rm(path, { force: true });
}

async function writeUntilFull(file: Awaited<ReturnType<typeof open>>, bytes: Buffer): Promise<void> {
  try {
    for (;;) await file.write(bytes);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  }
}
