import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryFolder } from './paths.ts';
import { unmountBelow } from './small-disk.ts';

const prefix = 'phase-migration-';

/**
 * Makes an empty folder for the data of one test service, its name carrying the process id of its owner. Folders whose
 * owner is gone (a test command that was killed) are removed first, so that they don't fill the disk.
 *
 * @param kind what the folder is for, in lower case without dashes, for instance `postgres`
 */
export async function makeThrowawayFolder(kind: string): Promise<string> {
  await sweep();
  return mkdtemp(join(temporaryFolder(), `${prefix}${kind}-${process.pid}-`));
}

async function sweep(): Promise<void> {
  const names = await readdir(temporaryFolder());
  const abandoned = names.filter((name) => {
    const owner = ownerOf(name);
    return owner !== undefined && !isRunning(owner);
  });
  await Promise.all(abandoned.map((name) => removeThrowawayFolder(join(temporaryFolder(), name))));
}

/** Removes the folder with everything in it, also what is mounted there. */
export async function removeThrowawayFolder(folder: string): Promise<void> {
  await unmountBelow(folder);
  await rm(folder, { recursive: true, force: true });
}

/** The process id in the name of a throw-away folder; undefined for any other name. */
export function ownerOf(folderName: string): number | undefined {
  const match = /^phase-migration-[a-z]+-(\d+)-[A-Za-z0-9]{6}$/.exec(folderName);
  return match ? Number(match[1]) : undefined;
}

/** Whether a process with this id exists, whoever it belongs to; one that has ended but was not yet reaped does not count. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  return !hasEnded(pid);
}

function hasEnded(pid: number): boolean {
  try {
    // The state follows the program's name, which may itself hold spaces and parentheses.
    return /\) [ZX] [^)]*$/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    // Gone meanwhile; or there is no /proc, and then the signal's answer is all there is to know.
    return existsSync('/proc/self/stat');
  }
}
