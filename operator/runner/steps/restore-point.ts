import { StepFailure } from '../core/failure.ts';
import { compareFingerprints, readFingerprint, relationSizes } from '../postgres/fingerprint.ts';
import { cloneDatabase, databaseExists, dropDatabase } from '../postgres/clone.ts';
import { compareDatabaseSettings, readDatabaseSettings, statementsFor } from '../postgres/database-settings.ts';
import { identifier } from '../postgres/identifiers.ts';
import type { Session } from '../postgres/session.ts';
import { currentName, openTarget } from '../establish.ts';
import type { RestorePointMethod } from '../core/restore-point-choice.ts';
import { compareFigures } from '../core/snapshots.ts';
import { bytesInWords, count, durationInWords } from '../core/words.ts';
import { runStep, stepOf, type Evidence, type Work } from '../work.ts';
import { withoutSessions } from './fence.ts';
import { questionTimeout, startSide } from './questions.ts';
import { takeFigures } from '../postgres/ask.ts';
import { takeDump } from './restore-dump.ts';

/** The Preflight's evidence of what it chose: the outage keeps to it, also after the runner was started again. */
export const RESTORE_POINT = 'restorePoint';

/** What the run has recorded, else what its Preflight chose. */
export function restorePointMethod({ reporter: { status }, spec }: Work): RestorePointMethod {
  const { restorePoint: wanted } = spec.plan.rollback;
  if (status.restorePoint) return status.restorePoint.method;
  if (wanted !== 'Auto') return wanted;
  return stepOf(status, 'Preflight')?.evidence?.[RESTORE_POINT] === 'Dump' ? 'Dump' : 'Template';
}

/**
 * Takes what the database can be put back to, and the figures that must be the same afterwards: both are read back from
 * the copy and compared with the original before anything is migrated.
 */
export async function takeRestorePoint(work: Work, method: RestorePointMethod): Promise<void> {
  if (method === 'None') return snapshotStep(work);
  if (method === 'Dump') {
    await runStep(work, 'RestorePoint', 'RestorePointFailed', (evidence) => takeDump(work, evidence));
    return snapshotStep(work);
  }
  let copy: Session | undefined;
  await runStep(work, 'RestorePoint', 'RestorePointFailed', async (evidence) => {
    copy = await takeClone(work, evidence);
    const { database, bytes = 0, cloneMilliseconds = 0 } = evidence;
    return `Template database ${database}, ${bytesInWords(bytes)} in ${durationInWords(cloneMilliseconds)}.`;
  });
  await snapshotStep(work, copy);
  await sealClone(work, copy!);
}

async function takeClone(work: Work, evidence: Evidence): Promise<Session> {
  const { maintenance, names } = work;
  if (await databaseExists(maintenance, names.restorePoint)) await dropDatabase(maintenance, names.restorePoint);
  const target = await openTarget(work);
  const began = performance.now();
  await withoutSessions(work, () =>
    cloneDatabase(target, { source: target.database, clone: names.restorePoint, sizeBytes: sizeBefore(work) }),
  );
  evidence['database'] = names.restorePoint;
  evidence['cloneMilliseconds'] = String(Math.round(performance.now() - began));
  const copy = await work.sessions.open(names.restorePoint);
  await Promise.all([compareCopy(work, target, copy, evidence), copySettings(work, target.database, evidence)]);
  return copy;
}

/** As the preflight saw it: asking again would take longer than the wrong strategy for a database that grew. */
function sizeBefore(work: Work): number {
  return Number(stepOf(work.reporter.status, 'Preflight')?.evidence?.['databaseBytes'] ?? Infinity);
}

async function compareCopy(work: Work, original: Session, copy: Session, evidence: Evidence): Promise<void> {
  const [fingerprint, before, after] = await Promise.all([
    readFingerprint(copy),
    relationSizes(original),
    relationSizes(copy),
  ]);
  // A copy that equals the original as it was before the outage equals it now; else the schema was changed meanwhile.
  const isUnchanged = work.schemaBefore?.sha256 === fingerprint.sha256;
  const differences = isUnchanged ? [] : compareFingerprints(await readFingerprint(original), fingerprint);
  if (differences.length > 0)
    throw new StepFailure('RestorePointFailed', `the copy’s schema differs: ${differences.slice(0, 5).join('; ')}`);
  const unequal = [...before].filter(([oid, size]) => after.get(oid) !== size);
  if (unequal.length > 0 || before.size !== after.size)
    throw new StepFailure('RestorePointFailed', `${unequal.length} tables or indexes of the copy have another size`);
  evidence['schemaFingerprint'] = fingerprint.sha256;
  evidence['comparedRelations'] = String(before.size);
  evidence['bytes'] = String([...before.values()].reduce((sum, size) => sum + BigInt(size), 0n));
}

/** Owner, comment, access list and settings belong to the database itself: no copy of its content has them. */
async function copySettings(work: Work, source: string, evidence: Evidence): Promise<void> {
  const { maintenance, names } = work;
  const settings = await readDatabaseSettings(maintenance, source);
  evidence['connectionLimit'] = String(settings.connectionLimit);
  await maintenance.query(statementsFor(names.restorePoint, settings).join(';'));
  const lost = compareDatabaseSettings(settings, await readDatabaseSettings(maintenance, names.restorePoint));
  if (lost.length > 0)
    throw new StepFailure('RestorePointFailed', `settings of the database could not be copied: ${lost.join('; ')}`);
}

/** From here on nobody connects to the copy any more, so that it can take the database's place at once. */
async function sealClone(work: Work, copy: Session): Promise<void> {
  await work.maintenance.query(`ALTER DATABASE ${identifier(work.names.restorePoint)} CONNECTION LIMIT 0`);
  void work.sessions.close(copy, work.maintenance).catch(() => undefined);
  work.reporter.update({ restorePoint: { ...work.reporter.status.restorePoint!, state: 'Taken' } });
}

/** Records the figures of the original, and compares them with the copy's where there is one. */
function snapshotStep(work: Work, copy?: Session): Promise<void> {
  return runStep(work, 'Snapshot', 'RestorePointFailed', async (evidence) => {
    const target = await openTarget(work);
    const questions = { snapshots: work.spec.plan.snapshots, side: startSide(work) };
    const options = { inTransaction: false, timeoutMs: questionTimeout(work) };
    const [figures, copied] = await Promise.all([
      takeFigures(target, questions, options),
      copy ? takeFigures(copy, questions, options) : undefined,
    ]);
    for (const [name, figure] of Object.entries(copied ?? {})) {
      const difference = compareFigures(figures[name]!, figure);
      if (difference)
        throw new StepFailure('RestorePointFailed', `figure "${name}" differs in the copy: ${difference}`);
    }
    evidence['figures'] = String(Object.keys(figures).length);
    evidence['schemaFingerprint'] = (await schemaOf(work, target)) ?? '';
    if ((await currentName(work)) !== target.database) throw new Error('the target database was renamed meanwhile');
    work.reporter.update({ snapshots: figures });
    return `${count(Object.keys(figures).length, 'figure')} recorded${copied ? ', equal in the restore point' : ''}.`;
  });
}

/** The fingerprint that the clone was compared with, or a fresh one where there is no clone. */
async function schemaOf(work: Work, target: Session): Promise<string | undefined> {
  const step = work.reporter.status.steps?.find(({ name }) => name === 'RestorePoint');
  return step?.evidence?.['schemaFingerprint'] ?? (await readFingerprint(target)).sha256;
}
