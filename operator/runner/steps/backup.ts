import { join } from 'node:path';
import { fileSafe } from '../core/names.ts';
import { bytesInWords } from '../core/words.ts';
import { readArchive, type Archive } from '../postgres/archive.ts';
import { dumpDatabase, type DumpOptions } from '../postgres/dump.ts';
import { runStep, type Evidence, type Work } from '../work.ts';
import { readRecord, recordOf, removeArchive, writeManifest, writeRecord } from './archive-record.ts';
import { runFolder } from './schema-file.ts';

/**
 * The backup that survives the loss of the database's server; taken while users are still working, so that it is not
 * what a failed migration is put back to. An archive that an earlier start of this run finished is kept.
 */
export function backupStep(work: Work): Promise<void> {
  return runStep(work, 'Backup', 'BackupFailed', async (evidence) => {
    const path = join(runFolder(work), `${fileSafe(work.names.target)}-${fileSafe(work.spec.startRevision)}.dump`);
    const finished = await finishedArchive(path, work);
    evidence['reused'] = String(finished !== undefined);
    const archive = finished ?? (await takeBackup(path, work));
    describeArchive(archive, evidence);
    work.reporter.update({
      backup: {
        archive: archive.path,
        sha256: archive.sha256,
        sizeBytes: archive.sizeBytes,
        completionTime: new Date().toISOString(),
      },
    });
    return `${finished ? 'Kept from an earlier start: ' : ''}${archiveInWords(archive)}`;
  });
}

async function takeBackup(path: string, work: Work): Promise<Archive> {
  await removeArchive(path);
  const options = dumpOptions(work, work.names.target);
  const archive = await dumpDatabase(path, options);
  await readArchive(archive, options);
  await writeManifest(archive);
  await writeRecord(path, recordOf(work, archive));
  return archive;
}

/** The archive if its record was written (which is done last) and it still reads back whole. */
async function finishedArchive(path: string, work: Work): Promise<Archive | undefined> {
  try {
    const archive = { ...(await readRecord(path)), path };
    await readArchive(archive, dumpOptions(work, work.names.target));
    return archive;
  } catch {
    work.signal.throwIfAborted();
    // Half-written or damaged: it is made anew.
    return undefined;
  }
}

/** Where an archive is and how it can be told from others. */
export function archiveInWords({ path, sha256, sizeBytes }: Archive): string {
  return `${bytesInWords(sizeBytes)} in ${path}, SHA-256 ${sha256.slice(0, 12)}…, read back whole.`;
}

export function describeArchive(archive: Archive, evidence: Evidence): void {
  const { path, format, compression, sha256, sizeBytes, files } = archive;
  Object.assign(evidence, { archive: path, format, compression, sha256 });
  Object.assign(evidence, { bytes: String(sizeBytes), files: String(files.length) });
}

export function dumpOptions(work: Work, database: string): DumpOptions {
  const { address, application } = work.sessions;
  const { format, compression, jobs } = work.spec.plan.backup;
  const { major } = work.maintenance;
  return { address, database, application, major, signal: work.signal, format, compression, jobs };
}
