import { join } from 'node:path';
import { fileSafe } from '../core/names.ts';
import { count } from '../core/words.ts';
import { readArchive, type Archive } from '../postgres/archive.ts';
import { sizeOf } from '../postgres/contents.ts';
import { dumpDatabase } from '../postgres/dump.ts';
import { runStep, type Evidence, type Work } from '../work.ts';
import {
  identityOf,
  readRecord,
  recordOf,
  refuseAnother,
  removeArchive,
  writeByHandFiles,
  writeRecord,
  type RecordedProof,
} from './archive-record.ts';
import { archiveInWords, describeArchive, dumpOptions } from './archives.ts';
import { byHandScripts } from './by-hand-scripts.ts';
import { atOneMoment, readProof } from './proof.ts';
import { rehearse } from './rehearse.ts';
import { markInUse } from './retention.ts';
import { runFolder } from './schema-file.ts';
import { copyToBucket } from './stores.ts';

interface Backup {
  archive: Archive;
  proof: RecordedProof;
  takenAt: string;
}

/**
 * The backup that survives the loss of the database's server; taken while users are still working, so that it is not
 * what a failed migration is put back to. An archive that an earlier start of this run finished is kept.
 */
export function backupStep(work: Work): Promise<void> {
  return runStep(work, 'Backup', 'BackupFailed', async (evidence) => {
    await markInUse(work);
    const path = join(runFolder(work), `${fileSafe(work.names.target)}-${fileSafe(work.spec.startRevision)}.dump`);
    const finished = await finishedBackup(path, work);
    evidence['reused'] = String(finished !== undefined);
    const { archive, proof, takenAt } = finished ?? (await takeBackup(path, work, evidence));
    describeArchive(archive, evidence);
    evidence['figures'] = String(Object.keys(proof.figures).length);
    const copy = await copyToBucket(work, archive);
    const { path: where, sha256, sizeBytes } = archive;
    const completionTime = new Date().toISOString();
    const recorded = { archive: where, sha256, sizeBytes, snapshotTime: takenAt, completionTime };
    work.reporter.update({ backup: { ...recorded, ...(copy ? { copy } : {}) } });
    const kept = finished ? 'Kept from an earlier start: ' : '';
    const copied = copy ? ` Copied to ${copy}.` : '';
    return `${kept}${archiveInWords(archive)} ${contentInWords(work, proof, evidence)}${copied}`;
  });
}

/** `12 tables with 1204030 rows hashed, all found again in a restored copy.` */
function contentInWords({ spec }: Work, proof: RecordedProof, evidence: Evidence): string {
  const { tables, rows } = sizeOf(proof.tables);
  Object.assign(evidence, { tables: String(tables), rows: String(rows) });
  const how = spec.plan.backup.contentHash === 'Enabled' ? 'hashed' : 'counted';
  const again = spec.plan.backup.rehearsal === 'Restore' ? ', all found again in a restored copy' : '';
  return `${count(tables, 'table')} with ${count(rows, 'row')} ${how}${again}.`;
}

/** Dumps one moment, and reads in that same moment what a restored copy must have. */
async function takeBackup(path: string, work: Work, evidence: Evidence): Promise<Backup> {
  await removeArchive(path);
  const options = dumpOptions(work, work.names.target);
  const { archive, proof, scripts, takenAt } = await atOneMoment(work, async (session, { snapshot, time }) => {
    const proof = await readProof(work, session);
    const scripts = await byHandScripts(work, session, proof.tables);
    return { proof, scripts, takenAt: time, archive: await dumpDatabase(path, { ...options, snapshot }) };
  });
  await readArchive(archive, options);
  const { rehearsal } = work.spec.plan.backup;
  if (rehearsal === 'Restore') await rehearse(work, path, proof, evidence);
  await writeByHandFiles(archive, scripts);
  const { schema, ...figures } = proof;
  const recorded = { ...figures, schemaFingerprint: schema.sha256 };
  await writeRecord(path, { ...recordOf(work, archive, takenAt), proof: recorded, rehearsal });
  return { archive, proof: recorded, takenAt };
}

/** The archive if its record was written (which is done last) and it still reads back whole. */
async function finishedBackup(path: string, work: Work): Promise<Backup | undefined> {
  try {
    const { proof, takenAt, ...archive } = { ...(await readRecord(path)), path };
    if (!proof) return undefined;
    refuseAnother(path, archive, identityOf(work));
    await readArchive(archive, dumpOptions(work, work.names.target));
    return { archive, proof, takenAt };
  } catch {
    work.signal.throwIfAborted();
    // Half-written or damaged: it is made anew.
    return undefined;
  }
}
