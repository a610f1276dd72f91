import { messageOf } from '../../kube/message-of.ts';
import { backupsToRemove, type Retention, type StoredBackup } from '../core/retention.ts';
import type { BackupStore } from '../storage/store.ts';
import { warn, type Work } from '../work.ts';
import { identityOf, type ArchiveIdentity, type ArchiveRecord } from './archive-record.ts';
import { runFolderName } from './schema-file.ts';
import { storesOf, type Place } from './stores.ts';

/** In the folder of a run that may still need its backup, or that of another run. */
const IN_USE = 'in-use';
const RECORD = /\.dump\.json$/;

/** Says where the backups are that they may be needed: also to runs of other clusters that keep theirs there. */
export async function markInUse(work: Work): Promise<void> {
  const mark = JSON.stringify(identityOf(work));
  for (const store of await storesOf(work)) await store.write(runFolderName(work.run), IN_USE, mark);
}

/** The run has ended and needs no backup any more. What cannot be told there is a warning: the run has ended well. */
export async function releaseBackups(place: Place & Pick<Work, 'reporter'>): Promise<void> {
  for (const store of await storesOf(place))
    await store.removeFile(runFolderName(place.run), IN_USE).catch((error: unknown) => {
      warn(place.reporter, `Backups on ${store.place} will be kept for ever: ${messageOf(error)}`);
    });
}

/**
 * Removes backups of the same database whose time is over, as `backup.retention` says. The lock is held, so that nobody
 * else takes or needs one at the same time. What cannot be removed is a warning: the run has ended well.
 */
export async function removeOldBackups(work: Work): Promise<void> {
  const { reporter, spec } = work;
  const { retention } = spec.plan.backup;
  if (!retention || !reporter.status.backup) return;
  const removed = new Set<string>();
  for (const store of await storesOf(work)) {
    try {
      for (const folder of await removeFrom(store, work, retention)) removed.add(folder);
    } catch (error) {
      warn(reporter, `Backups on ${store.place} whose time is over could not be removed: ${messageOf(error)}`);
    }
  }
  const MOST = 100;
  if (removed.size > 0) reporter.update({ removedBackups: [...removed].slice(0, MOST) });
}

async function removeFrom(store: BackupStore, work: Work, retention: Retention): Promise<string[]> {
  const { found, open } = await look(store, identityOf(work));
  if (open.length > 0) {
    warn(
      work.reporter,
      `No backup on ${store.place} was removed: ${open[0]}/${IN_USE} says that its run has not ended; if that run is gone for good remove the file.`,
    );
    return [];
  }
  const removed = backupsToRemove(found, retention, new Date()).map(({ folder }) => folder);
  for (const folder of removed) await store.removeFolder(folder);
  work.logger.info('Backups whose time is over were removed.', { place: store.place, removed, of: found.length });
  return removed;
}

/** The backups of the database, and the folders of runs that have not ended. */
async function look(store: BackupStore, identity: ArchiveIdentity): Promise<{ found: StoredBackup[]; open: string[] }> {
  const found: StoredBackup[] = [];
  const open: string[] = [];
  for (const folder of await store.folders()) {
    if (isMarkOf(identity, await store.read(folder, IN_USE))) open.push(folder);
    const files = await store.files(folder);
    const records = await Promise.all(
      [...files.keys()].filter((name) => RECORD.test(name)).map((name) => readBackup(store, folder, name)),
    );
    const own = records.filter((record) => record !== undefined && isSameDatabase(record, identity));
    if (own.length === 0) continue;
    const takenAt = new Date(Math.max(...own.map((record) => Date.parse(record!.takenAt))));
    found.push({ folder, takenAt, isWhole: own.every((record) => isWhole(record!, files)) });
  }
  return { found, open };
}

/** A mark that nobody can read counts for every database. */
function isMarkOf(identity: ArchiveIdentity, mark: string | undefined): boolean {
  if (mark === undefined) return false;
  const marked = parse<ArchiveIdentity>(mark);
  return marked === undefined || isSameDatabase(marked, identity);
}

/** A record that nobody can read says nothing of whose backup it is: it stays. */
async function readBackup(store: BackupStore, folder: string, name: string) {
  const record = parse<ArchiveRecord>((await store.read(folder, name)) ?? '');
  return record?.proof ? record : undefined;
}

function parse<T>(text: string): T | undefined {
  try {
    return JSON.parse(text) as T;
  } catch {
    return undefined;
  }
}

function isSameDatabase(one: ArchiveIdentity, other: ArchiveIdentity): boolean {
  return one.database === other.database && one.systemIdentifier === other.systemIdentifier;
}

function isWhole({ files }: ArchiveRecord, found: Map<string, number>): boolean {
  return files.every(({ name, sizeBytes }) => found.get(name) === sizeBytes);
}
