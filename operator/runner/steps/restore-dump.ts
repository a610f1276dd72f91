import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { StepFailure } from '../core/failure.ts';
import { closeTarget, currentName, hide, openTarget } from '../establish.ts';
import { dropDatabase } from '../postgres/clone.ts';
import { dumpDatabase, readArchive, restoreArchive } from '../postgres/dump.ts';
import { readFingerprint } from '../postgres/fingerprint.ts';
import { identifier, literal } from '../postgres/identifiers.ts';
import { type Evidence, type Work } from '../work.ts';
import { archiveInWords, dumpOptions } from './backup.ts';
import { raiseFence } from './fence.ts';
import { runFolder } from './schema-file.ts';

/** A restore point for roles that may not create databases while users work: slower, but only files on the volume. */
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
  const archive = await dumpDatabase(join(runFolder(work), 'restore-point.dump'), options);
  await readArchive(archive, options);
  // pg_dump's own session counts as a stranger until it is gone.
  await raiseFence(work, {});
  Object.assign(evidence, { archive: archive.path, sha256: archive.sha256, bytes: String(archive.sizeBytes) });
  reporter.update({ restorePoint: { state: 'Taken', method: 'Dump', archive: archive.path, sha256: archive.sha256 } });
  return archiveInWords(archive);
}

/** Restores the archive into a new database, which then takes the target's place. A half-made one is made anew. */
export async function putBackDump(work: Work, evidence: Evidence): Promise<void> {
  const { maintenance, names, reporter } = work;
  const { archive: path, sha256 } = reporter.status.restorePoint ?? {};
  if (!path || !sha256)
    throw new StepFailure('RollbackFailed', 'the status does not say where the restore point’s archive is');
  const options = dumpOptions(work, names.restorePoint);
  await readArchive({ path, sha256, sizeBytes: 0 }, options);
  await dropDatabase(maintenance, names.restorePoint);
  await createLike(work);
  const began = performance.now();
  await restoreArchive(path, options);
  evidence['restoreMilliseconds'] = String(Math.round(performance.now() - began));
}

/** An empty database with the target's encoding, locale and tablespace, which cannot be changed afterwards. */
async function createLike(work: Work): Promise<void> {
  const { maintenance, names } = work;
  const row = await maintenance.one(
    `SELECT pg_catalog.pg_encoding_to_char(d.encoding) AS encoding, d.datcollate, d.datctype, t.spcname
     FROM pg_catalog.pg_database d
     LEFT JOIN pg_catalog.pg_tablespace t ON t.oid OPERATOR(pg_catalog.=) d.dattablespace AND t.oid OPERATOR(pg_catalog.<>) (
       SELECT dattablespace FROM pg_catalog.pg_database WHERE datname OPERATOR(pg_catalog.=) 'template0')
     WHERE d.datname = $1`,
    [await currentName(work)],
  );
  const locale = `LC_COLLATE ${literal(row['datcollate']!)} LC_CTYPE ${literal(row['datctype']!)}`;
  // Naming even the default tablespace takes a privilege on it, which only superusers have.
  const tablespace = row['spcname'] ? ` TABLESPACE ${identifier(row['spcname'])}` : '';
  await maintenance.query(
    `CREATE DATABASE ${identifier(names.restorePoint)} TEMPLATE template0 ENCODING ${literal(row['encoding']!)} ${locale}${tablespace}`,
  );
}

export async function removeDump(work: Work): Promise<void> {
  await rm(join(runFolder(work), 'restore-point.dump'), { force: true });
}
