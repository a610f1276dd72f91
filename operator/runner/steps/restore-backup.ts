import { StepFailure } from '../core/failure.ts';
import { messageOf } from '../../kube/message-of.ts';
import { compareFigures } from '../core/snapshots.ts';
import { currentName, openTarget } from '../establish.ts';
import { readArchive, type Archive } from '../postgres/archive.ts';
import { databaseExists, dropDatabase } from '../postgres/clone.ts';
import { compareContents } from '../postgres/contents.ts';
import { readDatabaseSettings, statementsFor } from '../postgres/database-settings.ts';
import { identifier } from '../postgres/identifiers.ts';
import { runStep, warn, type Evidence, type Work } from '../work.ts';
import { identityOf, readRecord, refuseAnother, type RecordedProof } from './archive-record.ts';
import { dumpOptions } from './archives.ts';
import { assertRevision } from './migrate.ts';
import { takePlace } from './put-back.ts';
import { startSide, verify } from './questions.ts';
import { readCopy, restoreInto, someOf } from './rehearse.ts';
import { fetchFromBucket } from './stores.ts';

/**
 * Puts the backup in the database's place, as a person has decided: it is proved whole and this run's own, restored
 * beside the database, and compared with what was dumped, before the database gives up its name. Goes on after a crash.
 */
export async function restoreBackup(work: Work): Promise<void> {
  let proof: RecordedProof | undefined;
  await runStep(work, 'Rollback', 'RollbackFailed', async (evidence) => {
    const archive = await provedBackup(work);
    proof = archive.proof;
    evidence['method'] = 'Backup';
    if (!(await isInPlace(work))) {
      await restoreBeside(work, archive, archive.proof, evidence);
      await takePlace(work, work.names.rehearsal, evidence);
    }
    const { snapshotTime, completionTime } = work.reporter.status.backup!;
    warn(
      work.reporter,
      `Everything written since ${snapshotTime ?? completionTime} is lost with the restore of the backup, as resolution ${work.spec.resolution?.number} decided.`,
    );
    return `The backup ${archive.path} took the database’s place.`;
  });
  await runStep(work, 'VerifyRollback', 'RollbackVerificationFailed', (evidence) =>
    verifyRestored(work, proof!, evidence),
  );
  const { rehearsal } = work.reporter.status;
  if (rehearsal) work.reporter.update({ rehearsal: { ...rehearsal, state: 'Dropped' } });
}

/**
 * The backup on the volume; where that is missing or damaged, the copy in the bucket, brought back to the volume.
 *
 * @throws StepFailure RollbackFailed saying what is wrong with it; nothing was dropped for it
 */
async function provedBackup(work: Work): Promise<ProvedBackup> {
  const { archive: path, sha256 } = work.reporter.status.backup ?? {};
  try {
    if (!path || !sha256) throw new Error('the status does not say where the backup is');
    return await prove(work, path, sha256).catch(async (error: unknown) => {
      work.signal.throwIfAborted();
      if (!(await fetchFromBucket(work, path))) throw error;
      warn(work.reporter, `The backup was brought back from the bucket: ${messageOf(error)}`);
      return prove(work, path, sha256);
    });
  } catch (error) {
    work.signal.throwIfAborted();
    throw new StepFailure(
      'RollbackFailed',
      `the backup cannot be restored, and nothing was dropped for it: ${messageOf(error)}`,
    );
  }
}

type ProvedBackup = Archive & { proof: RecordedProof };

async function prove(work: Work, path: string, sha256: string): Promise<ProvedBackup> {
  const { proof, ...archive } = { ...(await readRecord(path)), path };
  refuseAnother(path, archive, { ...identityOf(work), sha256 });
  if (!proof) throw new Error(`${path}.json does not say what was in it`);
  await readArchive(archive, dumpOptions(work, work.names.rehearsal));
  return { ...archive, proof };
}

/** Both renames are one transaction, and the name of the database that was replaced was free before. */
async function isInPlace({ maintenance, names, reporter }: Work): Promise<boolean> {
  return (
    reporter.status.rehearsal?.state === 'Restoring' &&
    (await databaseExists(maintenance, names.failed)) &&
    !(await databaseExists(maintenance, names.rehearsal))
  );
}

async function restoreBeside(work: Work, archive: Archive, proof: RecordedProof, evidence: Evidence): Promise<void> {
  const { maintenance, names, reporter } = work;
  if (await databaseExists(maintenance, names.failed))
    throw new StepFailure(
      'RollbackFailed',
      `database "${names.failed}", which an earlier way back replaced, is still there: it may be the only copy of what clients wrote. Drop or rename it, and decide again`,
    );
  await dropDatabase(maintenance, names.rehearsal);
  reporter.update({ rehearsal: { state: 'Restoring', database: names.rehearsal }, databaseChanged: 'Unknown' });
  await reporter.flush();
  const began = performance.now();
  await restoreInto(work, archive.path);
  const differences = await differencesOf(work, proof);
  if (differences.length > 0)
    throw new StepFailure(
      'RollbackFailed',
      `what ${archive.path} restores is not what was dumped: ${someOf(differences)}`,
    );
  const settings = await readDatabaseSettings(maintenance, await currentName(work));
  const statements = statementsFor(names.rehearsal, { ...settings, isTemplate: false });
  // The scratch database was closed to everybody; a database whose privileges nobody has changed is not.
  if (settings.acl === null)
    statements.push(`GRANT CONNECT, TEMPORARY ON DATABASE ${identifier(names.rehearsal)} TO PUBLIC`);
  await maintenance.query(statements.join(';'));
  evidence['restoreMilliseconds'] = String(Math.round(performance.now() - began));
}

async function differencesOf(work: Work, dumped: RecordedProof): Promise<string[]> {
  const { tables, figures, schema } = await readCopy(work);
  return [
    ...compareContents(dumped.tables, tables),
    ...Object.entries(dumped.figures).flatMap(([name, figure]) => {
      const difference = compareFigures(figure, figures[name]!);
      return difference ? [`figure "${name}" ${difference}`] : [];
    }),
    ...(schema.sha256 === dumped.schemaFingerprint ? [] : ['the schema differs']),
  ];
}

/** Under its own name again it must still be what was dumped, and be right. */
async function verifyRestored(work: Work, { figures }: RecordedProof, evidence: Evidence): Promise<string> {
  const target = await openTarget(work);
  await assertRevision(target, work.spec.startRevision);
  const { rollbackChecks, checks } = work.spec.plan.verification;
  const questions = { checks: work.spec.direction === 'Up' ? rollbackChecks : checks, figures, side: startSide(work) };
  const reason = 'RollbackVerificationFailed';
  return `${await verify(work, target, { ...questions, inTransaction: false, reason }, evidence)}.`;
}
