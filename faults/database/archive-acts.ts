import { copyFile, cp, open, readdir, rm, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import type { ArchiveFault, Fault } from './faults.ts';
import type { Scene } from './scene.ts';

/**
 * Something happens to an archive on the volume: to the restore point before it is put back, or to the backup before the
 * outage, when the runner has to be started again, too.
 *
 * @throws Error when there is no such archive
 */
export async function damageArchive(scene: Scene, fault: Extract<Fault, { at: 'Archive' }>): Promise<void> {
  if (scene.firedAt !== undefined) return;
  const { backup, restorePoint } = scene.scenario.memory.runner;
  const path = fault.goal === 'RolledBack' ? restorePoint?.archive : backup?.archive;
  if (path === undefined) throw new Error(`there is no archive before goal ${fault.goal}`);
  const kept = `${scene.scenario.folders.root}/kept`;
  await cp(path, kept, { recursive: true });
  scene.fireOnce();
  await damage[fault.fault](await fileOf(path), backup?.archive ?? '');
  if (fault.goal === 'Migrated') {
    const { current } = scene.operator;
    current?.process.signal('SIGKILL');
    await current?.process.ended;
    return;
  }
  // Somebody finds the right one.
  scene.mends.push(async () => {
    await rm(path, { recursive: true, force: true });
    await cp(kept, path, { recursive: true });
  });
}

const damage: Record<ArchiveFault, (path: string, other: string) => Promise<void>> = {
  // A whole archive of the same database, but of an earlier moment.
  'archive-swapped': (path, other) => copyFile(other, path),
  'archive-truncated': async (path) => truncate(path, Math.floor((await stat(path)).size / 2)),
  'archive-changed': async (path) => {
    const file = await open(path, 'r+');
    const middle = Math.floor((await file.stat()).size / 2);
    const byte = Buffer.alloc(1);
    await file.read(byte, 0, 1, middle);
    await file.write(Buffer.from([byte[0]! ^ 0xff]), 0, 1, middle);
    await file.close();
  },
};

async function fileOf(path: string): Promise<string> {
  if (!(await stat(path)).isDirectory()) return path;
  return join(path, (await readdir(path)).sort()[0]!);
}
