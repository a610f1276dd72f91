import { join } from 'node:path';
import { StepFailure } from '../core/failure.ts';
import { messageOf } from '../../kube/message-of.ts';
import { closeTarget, currentName, hide, openTarget } from '../establish.ts';
import { dropDatabase } from '../postgres/clone.ts';
import { readArchive } from '../postgres/archive.ts';
import { readDatabaseSettings, statementsFor, type DatabaseSettings } from '../postgres/database-settings.ts';
import { dumpDatabase, restoreArchive } from '../postgres/dump.ts';
import { readFingerprint } from '../postgres/fingerprint.ts';
import { describeDatabaseError, sqlState } from '../postgres/session.ts';
import { warn, type Evidence, type Work } from '../work.ts';
import { identityOf, readRecord, recordOf, refuseAnother, removeArchive, writeRecord } from './archive-record.ts';
import { archiveInWords, describeArchive, dumpOptions } from './archives.ts';
import { createLike } from './create-like.ts';
import { raiseFence } from './fence.ts';
import { runFolder } from './schema-file.ts';

/** A restore point that takes no room on the server: slower, but only files on the backup volume until it is put back. */
export async function takeDump(work: Work, evidence: Evidence): Promise<string> {
  const { reporter, names } = work;
  if (reporter.status.fence?.mode === 'ConnectionLimit' && (await currentName(work)) === names.target) {
    // The limit would keep pg_dump out: it comes in by a name that clients do not know.
    await closeTarget(work);
    await hide(work, names.target);
  }
  const target = await openTarget(work);
  evidence['schemaFingerprint'] = (await readFingerprint(target)).sha256;
  const options = dumpOptions(work, target.database);
  const path = dumpFile(work);
  const settings = await readDatabaseSettings(work.maintenance, target.database);
  evidence['connectionLimit'] = String(settings.connectionLimit);
  const takenAt = new Date().toISOString();
  const archive = await dumpDatabase(path, options);
  // What belongs to the database itself is not in an archive of its content.
  await writeRecord(path, { ...recordOf(work, archive, takenAt), settings });
  await readArchive(archive, options);
  // pg_dump's own session counts as a stranger until it is gone.
  await raiseFence(work, {});
  describeArchive(archive, evidence);
  reporter.update({ restorePoint: { state: 'Taken', method: 'Dump', archive: archive.path, sha256: archive.sha256 } });
  return archiveInWords(archive);
}

function dumpFile(work: Work): string {
  return join(runFolder(work), 'restore-point.dump');
}

/** Restores the archive into a new database, which then takes the target's place. A half-made one is made anew. */
export async function putBackDump(work: Work, evidence: Evidence): Promise<void> {
  const { maintenance, names, reporter } = work;
  const { archive: path, sha256 } = reporter.status.restorePoint ?? {};
  if (!path || !sha256)
    throw new StepFailure('RollbackFailed', 'the status does not say where the restore point’s archive is');
  const options = dumpOptions(work, names.restorePoint);
  const settings = await proveArchive(work, path, sha256);
  await dropDatabase(maintenance, names.restorePoint);
  await createLike(work, names.restorePoint);
  const began = performance.now();
  await restoreArchive(path, options);
  await analyze(work);
  await maintenance.query(statementsFor(names.restorePoint, settings).join(';'));
  evidence['restoreMilliseconds'] = String(Math.round(performance.now() - began));
}

/**
 * A restore leaves no statistics, without which the checks, and the application after them, could take for ever: a
 * sample of each table costs little beside its restore. What cannot be analysed keeps nothing from being put back.
 */
async function analyze({ sessions, maintenance, names, reporter }: Work): Promise<void> {
  const session = await sessions.open(names.restorePoint);
  try {
    await session.query('ANALYZE');
  } catch (error) {
    if (sqlState(error) === undefined) throw error;
    warn(
      reporter,
      `ANALYZE after the restore failed, so queries may be slow until it is done: ${describeDatabaseError(error)}`,
    );
  } finally {
    await sessions.close(session, maintenance);
  }
}

/**
 * Proves that an archive is the restore point that this run took, and whole: before anything is dropped for it.
 *
 * @returns what belongs to the database itself
 * @throws StepFailure RollbackFailed saying what is wrong with the archive
 */
async function proveArchive(work: Work, path: string, sha256: string): Promise<DatabaseSettings> {
  try {
    const { settings, ...archive } = { ...(await readRecord(path)), path };
    refuseAnother(path, archive, { ...identityOf(work), sha256 });
    await readArchive(archive, dumpOptions(work, work.names.restorePoint));
    if (!settings) throw new Error(`${path}.json is not that of a restore point`);
    return settings;
  } catch (error) {
    work.signal.throwIfAborted();
    throw new StepFailure(
      'RollbackFailed',
      `the restore point cannot be put back, and nothing was dropped for it: ${messageOf(error)}. Bring back what was written there, or restore the backup by hand (docs/restore-by-hand.md)`,
      { archive: path, sha256 },
    );
  }
}

/** Removes the archive that was the restore point; the backup stays. */
export async function removeDump(work: Work): Promise<void> {
  await removeArchive(dumpFile(work));
}
