import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileSafe } from '../core/names.ts';
import { dumpDatabase, readArchive, type Archive, type DumpOptions } from '../postgres/dump.ts';
import { bytesInWords } from '../core/words.ts';
import { runStep, type Work } from '../work.ts';
import { runFolder } from './schema-file.ts';

/**
 * The backup that survives the loss of the database's server; taken while users are still working, so that it is not
 * what a failed migration is put back to. An archive that an earlier start of this run finished is kept.
 */
export function backupStep(work: Work): Promise<void> {
  return runStep(work, 'Backup', 'BackupFailed', async (evidence) => {
    const path = join(runFolder(work), `${fileSafe(work.names.target)}-${fileSafe(work.spec.startRevision)}.dump`);
    const options = dumpOptions(work, work.names.target);
    let archive = await finishedArchive(path, options);
    evidence['reused'] = String(archive !== undefined);
    if (!archive) {
      archive = await dumpDatabase(path, options);
      await readArchive(archive, options);
      await writeFile(`${path}.json`, JSON.stringify(sidecar(work, archive), null, 2));
    }
    Object.assign(evidence, { archive: archive.path, sha256: archive.sha256, bytes: String(archive.sizeBytes) });
    work.reporter.update({
      backup: {
        archive: archive.path,
        sha256: archive.sha256,
        sizeBytes: archive.sizeBytes,
        completionTime: new Date().toISOString(),
      },
    });
    const kept = evidence['reused'] === 'true' ? 'Kept from an earlier start: ' : '';
    return `${kept}${archiveInWords(archive)}`;
  });
}

/** Where an archive is and how it can be told from others. */
export function archiveInWords({ path, sha256, sizeBytes }: Archive): string {
  return `${bytesInWords(sizeBytes)} in ${path}, SHA-256 ${sha256.slice(0, 12)}…, read back whole.`;
}

export function dumpOptions(work: Work, database: string): DumpOptions {
  const { address, application } = work.sessions;
  return { address, database, application, major: work.maintenance.major, signal: work.signal };
}

/** What a person needs to know to restore the archive by hand when nothing else is left. */
function sidecar(work: Work, archive: Archive) {
  return {
    ...{
      database: work.names.target,
      revision: work.spec.startRevision,
      run: `${work.run.namespace}/${work.run.name}`,
    },
    ...{ runUid: work.run.uid, sha256: archive.sha256, sizeBytes: archive.sizeBytes, format: 'pg_dump custom' },
    ...{ serverVersion: work.maintenance.version, takenAt: new Date().toISOString() },
  };
}

/** The archive if its sidecar was written (which is done last) and it still reads back whole. */
async function finishedArchive(path: string, options: DumpOptions): Promise<Archive | undefined> {
  try {
    const { sha256, sizeBytes } = JSON.parse(await readFile(`${path}.json`, 'utf8')) as Archive;
    const archive = { path, sha256, sizeBytes };
    await readArchive(archive, options);
    return archive;
  } catch {
    options.signal.throwIfAborted();
    // Half-written or damaged: it is made anew.
    return undefined;
  }
}
