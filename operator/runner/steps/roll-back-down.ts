import { StepFailure, Undecided } from '../core/failure.ts';
import { inverse, withoutDown, type Operation } from '../core/migrations.ts';
import { openTarget } from '../establish.ts';
import { takeFigures } from '../postgres/ask.ts';
import { compareFingerprints, readFingerprint } from '../postgres/fingerprint.ts';
import type { Session } from '../postgres/session.ts';
import { failureOf, isTransient, recordStep, runStep, stepOf, warn, type Evidence, type Work } from '../work.ts';
import { applyInTransaction, type Applied } from './apply.ts';
import type { Progress } from './facts.ts';
import { assertNoClients, raiseFence } from './fence.ts';
import {
  allTransactional,
  appliedInWords,
  applyOne,
  applyOptions,
  assertRevision,
  authorOf,
  commit,
  describeApplied,
  endSide,
  recordApplied,
} from './migrate.ts';
import { startSide, questionTimeout, verify } from './questions.ts';
import { readSchemaBefore } from './schema-file.ts';
import { Transaction } from './transaction.ts';

/** Whether what was to be undone by `down` may be undone in the other way, now that `down` has failed. */
export type OtherWay = () => Promise<boolean>;

/**
 * Undoes what the run applied by the migrations’ own other direction, which keeps what clients wrote since. Where all of
 * it is transactional it is one transaction, together with the rollback checks: a `down` that fails changes nothing.
 *
 * @throws Undecided when it failed and the other way is open: whoever reads of a failure waits for a person
 */
export function rollBackByDown(
  work: Work,
  progress: Progress & { unusable: StepFailure | undefined },
  isOtherWayOpen: OtherWay,
): Promise<void> {
  return downStep(work, isOtherWayOpen, async (evidence) => {
    const operations = inverse(work.operations.slice(0, progress.applied));
    const isOpen = operations.length > 0 && withoutDown(operations).length === 0 && !progress.unexplained;
    if (!isOpen || work.spec.plan.rollback.strategy === 'RestorePoint') throw noWayBack(work, progress.unusable);
    const target = await openTarget(work);
    const figures = await figuresBefore(work, target);
    work.reporter.update({ databaseChanged: 'Unknown' });
    await work.reporter.flush();
    const applied = allTransactional(operations)
      ? await downWhole(work, target, { operations, figures }, evidence)
      : await downOneByOne(work, target, { operations, figures }, evidence);
    recordApplied(work, applied, 'Reverted');
    describeApplied(evidence, applied);
    evidence['method'] = 'Down';
    return appliedInWords(applied);
  });
}

/**
 * The ledger says that everything is undone, and not whether that was found to be right: it is looked at again.
 *
 * @throws Undecided when it is not, and the other way is open
 */
export function verifyEarlierDown(work: Work, isOtherWayOpen: OtherWay): Promise<void> {
  const { status } = work.reporter;
  return downStep(work, isOtherWayOpen, async () => {
    await raiseFence(work, {});
    // What clients wrote before the undoing cannot be told from what was there by now.
    const figures = status.clientWrites === 'Possible' ? {} : (status.snapshots ?? {});
    await verifyStep(work, await openTarget(work), figures, false);
    return 'The ledger says that an earlier start of the runner undid the migration.';
  });
}

/** The step Rollback, and VerifyRollback in it: both fail only when no other way is open. */
function downStep(work: Work, isOtherWayOpen: OtherWay, body: (evidence: Evidence) => Promise<string>): Promise<void> {
  return runStep(work, 'Rollback', 'RollbackFailed', async (evidence) => {
    try {
      return await body(evidence);
    } catch (error) {
      const failure = error instanceof Undecided ? error.failure : await failureOf(work, error, 'RollbackFailed');
      if (await isOtherWayOpen()) throw new Undecided(failure);
      failVerification(work, failure);
      throw failure;
    }
  });
}

function failVerification({ reporter }: Work, { reason, message, evidence }: StepFailure): void {
  const step = stepOf(reporter.status, 'VerifyRollback');
  if (step?.state !== 'Running') return;
  recordStep(reporter, {
    ...step,
    state: 'Failed',
    reason,
    message,
    evidence,
    completionTime: new Date().toISOString(),
  });
}

/** Fails with what a person has to decide, when neither way back is open. */
function noWayBack(work: Work, unusable: StepFailure | undefined): StepFailure {
  const isLossy = work.reporter.status.clientWrites === 'Possible';
  const writes = isLossy ? ': clients may have written since, which a restore would lose' : '';
  const { strategy } = work.spec.plan.rollback;
  const files = unusable ? `; ${unusable.message}` : '';
  return new StepFailure(
    'RollbackFailed',
    `with rollback.strategy ${strategy} the migration of database "${work.names.target}" cannot be undone by itself${writes}${files}`,
  );
}

/** The figures that must survive: as recorded while nobody has written since, else as they are now behind the fence. */
async function figuresBefore(work: Work, target: Session): Promise<Record<string, string>> {
  const { status } = work.reporter;
  if (status.clientWrites !== 'Possible' && status.snapshots) return status.snapshots;
  const questions = { snapshots: work.spec.plan.snapshots, side: endSide(work) };
  return takeFigures(target, questions, { inTransaction: false, timeoutMs: questionTimeout(work) });
}

interface Down {
  operations: Operation[];
  figures: Record<string, string>;
}

async function downWhole(work: Work, target: Session, down: Down, evidence: Evidence): Promise<Applied[]> {
  const transaction = await Transaction.begin(target);
  try {
    const applied = await applyInTransaction(transaction, down.operations, applyOptions(work, target));
    describeApplied(evidence, applied);
    await target.query('SET CONSTRAINTS ALL IMMEDIATE');
    await verifyStep(work, target, down.figures, true);
    await assertNoClients(work);
    await commit(work, target);
    return applied;
  } catch (error) {
    if (!isTransient(error)) {
      await transaction.rollBack(authorOf(work));
      work.reporter.update({ databaseChanged: 'Yes' });
    }
    throw error;
  }
}

async function downOneByOne(work: Work, target: Session, down: Down, evidence: Evidence): Promise<Applied[]> {
  const applied: Applied[] = [];
  for (const operation of down.operations) {
    applied.push(...(await applyOne(work, target, operation)));
    describeApplied(evidence, applied);
  }
  await verifyStep(work, target, down.figures, false);
  return applied;
}

function verifyStep(
  work: Work,
  target: Session,
  figures: Record<string, string>,
  inTransaction: boolean,
): Promise<void> {
  const fallback = 'RollbackVerificationFailed';
  const { checks, rollbackChecks } = work.spec.plan.verification;
  const asked = { checks: work.spec.direction === 'Up' ? rollbackChecks : checks, figures, side: startSide(work) };
  return runStep(work, 'VerifyRollback', fallback, async (evidence) => {
    try {
      await assertRevision(target, work.spec.startRevision);
      await compareSchema(work, target, evidence);
      return `${await verify(work, target, { ...asked, inTransaction, reason: fallback }, evidence)}.`;
    } catch (error) {
      const failure = await failureOf(work, error, fallback);
      throw new Undecided(new StepFailure(failure.reason, failure.message, { ...evidence, ...failure.evidence }));
    }
  });
}

/**
 * `down` is usually not an inverse. While nobody can have written and a restore point is there, a difference makes it
 * fail, and the restore point is put back instead. After clients have written there is no other way that keeps their
 * writes: the rollback checks decide, and the differences are told as a warning.
 */
async function compareSchema(work: Work, target: Session, evidence: Evidence): Promise<void> {
  const { status } = work.reporter;
  const recorded = stepOf(status, 'Snapshot')?.evidence?.['schemaFingerprint'];
  const fingerprint = await readFingerprint(target);
  evidence['schemaFingerprint'] = fingerprint.sha256;
  if (!recorded || recorded === fingerprint.sha256) return;
  const before = await readSchemaBefore(work, recorded);
  const differences = before ? compareFingerprints(before, fingerprint) : ['what differs is not known'];
  const text = `after down the schema is not what it was: ${differences.slice(0, 10).join('; ')}${differences.length > 10 ? '; …' : ''}`;
  evidence['schemaDifferences'] = differences.join('; ');
  if (status.clientWrites !== 'Possible' && status.restorePoint?.state === 'Taken')
    throw new StepFailure('RollbackVerificationFailed', text);
  warn(work.reporter, text);
}
