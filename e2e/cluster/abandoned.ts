import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { identityOf, type Identity } from './identity.ts';
import { withLock } from './lock.ts';
import { stopEngine } from './offline/engine/docker-daemon.ts';
import { cacheFolder } from './paths.ts';
import type { Progress } from './progress.ts';

const cloneFile = (stateFolder: string) => join(stateFolder, 'clone');

/** Lock under which everything of a clone's cluster is changed. */
export const lockOf = (identity: Identity) => `${identity.stateFolder}.lock`;

/** Notes which clone a state folder belongs to, so that it can be removed once the clone is gone. */
export async function claimState(identity: Identity): Promise<void> {
  await mkdir(identity.stateFolder, { recursive: true });
  await writeFile(cloneFile(identity.stateFolder), identity.clone);
}

/** So long a clone must have been missing: it may lie on a disk that is mounted again, or be moved back. */
const MISSING_MS = 3_600_000;
const missingFile = (stateFolder: string) => join(stateFolder, 'missing-since');

/**
 * Whether the clone of a state folder was missing at a look an hour ago or longer, and at each look since. The first
 * look that misses it only notes when that was; one that finds it forgets that.
 *
 * @param now milliseconds since 1970
 */
export async function isLongGone(stateFolder: string, clone: string, now: number): Promise<boolean> {
  const note = missingFile(stateFolder);
  if (existsSync(clone)) {
    await rm(note, { force: true });
    return false;
  }
  const since = Number(await readFile(note, 'utf8').catch(() => ''));
  if (since) return now - since >= MISSING_MS;
  await writeFile(note, String(now));
  return false;
}

/**
 * Removes the engines and states of clones that are gone for an hour: nobody could run `npm run cluster -- down` there
 * any more, and each keeps a cluster's memory and more than a gigabyte of disk.
 */
export async function removeAbandoned(progress: Progress): Promise<void> {
  const cache = cacheFolder();
  const clusters = join(cache, 'clusters');
  for (const name of await readdir(clusters).catch(() => [])) {
    const clone = await readFile(cloneFile(join(clusters, name)), 'utf8').catch(() => undefined);
    if (clone === undefined) continue;
    const identity = identityOf(clone, cache);
    if (identity.name !== name || !(await isLongGone(identity.stateFolder, clone, Date.now()))) continue;
    progress(`removing the cluster of ${clone}, which is gone for more than an hour`);
    const remove = async () => {
      await stopEngine(identity);
      await rm(identity.stateFolder, { recursive: true, force: true });
    };
    await withLock(lockOf(identity), progress, remove).catch((error: Error) => {
      // Somebody else's debris is no reason to refuse this clone its cluster; the next command tries again.
      progress(`it could not be removed: ${error.message}`);
    });
  }
}
