import type { RunnerStatus } from '../../api/phase-migration-run.ts';
import { ConnectionLost, NotReached, StepFailure } from '../core/failure.ts';
import type { Operation } from '../core/migrations.ts';
import { openTarget } from '../establish.ts';
import type { SchemaSide } from '../postgres/ask.ts';
import { readLedger } from '../postgres/ledger.ts';
import { holdsLock } from '../postgres/lock.ts';
import type { Session } from '../postgres/session.ts';
import { durationInWords } from '../core/words.ts';
import { isTransient, runStep, warn, type Evidence, type Work } from '../work.ts';
import { applyAlone, applyInTransaction, type Applied, type ApplyOptions } from './apply.ts';
import { Transaction, type Author } from './transaction.ts';
import { assertNoClients } from './fence.ts';
import { verify } from './questions.ts';

/** Which of the two schemas is there when the run has succeeded. */
export function endSide(work: Work): SchemaSide {
  return work.spec.direction === 'Up' ? 'new' : 'old';
}

/** What is asked after the migration: the rollback checks where the migration is an undoing itself. */
export function questionsAfter(work: Work, inTransaction: boolean) {
  const { verification } = work.spec.plan;
  return {
    checks: work.spec.direction === 'Up' ? verification.checks : verification.rollbackChecks,
    figures: work.reporter.status.snapshots ?? {},
    side: endSide(work),
    inTransaction,
  };
}

export function allTransactional(operations: Operation[]): boolean {
  return operations.every(({ migration }) => migration.transactional);
}

/**
 * Carries out what is left of the run's operations and verifies the result. Where all of them are transactional, that
 * is one transaction: nothing is committed that was not verified.
 */
export async function migrate(work: Work, remaining: Operation[]): Promise<void> {
  if (allTransactional(work.operations)) return migrateWhole(work, remaining);
  if (remaining.length > 0)
    await runStep(work, 'Migrate', 'MigrationFailed', (evidence) => migrateOneByOne(work, remaining, evidence));
  await runStep(work, 'Verify', 'CheckFailed', async (evidence) => {
    const target = await openTarget(work);
    const verified = await verify(work, target, questionsAfter(work, false), evidence);
    await assertRevision(target, work.spec.targetRevision);
    return `${verified}.`;
  });
}

async function migrateWhole(work: Work, operations: Operation[]): Promise<void> {
  const target = await openTarget(work);
  await runStep(work, 'Migrate', 'MigrationFailed', async (evidence) => {
    const announced = announceChange(work);
    const transaction = await Transaction.begin(target);
    try {
      const applied = await applyInTransaction(transaction, operations, applyOptions(work, target));
      describeApplied(evidence, applied);
      await verifyInTransaction(work, transaction);
      await announced;
      await assertNoClients(work);
      await commit(work, target);
      recordApplied(work, applied, 'Applied');
      work.reporter.update({ databaseChanged: 'Yes', revision: work.spec.targetRevision });
      return appliedInWords(applied);
    } catch (error) {
      if (!isTransient(error) && !(error instanceof NotReached)) await rollBackTransaction(work, transaction);
      throw error;
    }
  });
}

function verifyInTransaction(work: Work, transaction: Transaction): Promise<void> {
  const target = transaction.session;
  return runStep(work, 'Verify', 'CheckFailed', async (evidence) => {
    try {
      await target.query('SET CONSTRAINTS ALL IMMEDIATE');
      const verified = await verify(work, target, questionsAfter(work, true), evidence);
      await assertRevision(target, work.spec.targetRevision);
      return `${verified}, before COMMIT.`;
    } catch (error) {
      // Before the failure is told: who hears of it may rely on nothing being committed.
      if (!isTransient(error)) await rollBackTransaction(work, transaction);
      throw error;
    }
  }).catch((error: unknown) => {
    if (!(error instanceof StepFailure)) throw error;
    throw new NotReached('Rolled back because the verification in the same transaction failed.', error);
  });
}

async function rollBackTransaction(work: Work, transaction: Transaction): Promise<void> {
  const isUndone = await transaction.rollBack(authorOf(work));
  work.reporter.update({ databaseChanged: isUndone ? 'No' : 'Yes' });
}

/** That a change may be committed any moment is acknowledged before it can be; sent while the migration runs. */
function announceChange(work: Work): Promise<void> {
  work.reporter.update({ databaseChanged: 'Unknown' });
  const acknowledged = work.reporter.flush();
  acknowledged.catch(() => undefined);
  return acknowledged;
}

/**
 * Commits what the lock's holder has done.
 *
 * @throws ConnectionLost when no answer came: then the ledger is read on a new connection, after this one is gone
 */
export async function commit(work: Work, session: Session): Promise<void> {
  if (!(await holdsLock(session, work.maintenance.pid, work.names.target)))
    throw new ConnectionLost(
      `the lock on database "${work.names.target}" was lost before COMMIT; nothing was committed`,
    );
  const command = await session.command('COMMIT');
  if (command !== 'COMMIT')
    throw new StepFailure('MigrationFailed', `the server answered COMMIT with ${command}: nothing was committed`);
}

async function migrateOneByOne(work: Work, operations: Operation[], evidence: Evidence): Promise<string> {
  const target = await openTarget(work);
  await announceChange(work);
  const applied: Applied[] = [];
  for (const operation of operations) {
    await assertNoClients(work);
    const done = await applyOne(work, target, operation);
    applied.push(...done);
    recordApplied(work, done, 'Applied');
    describeApplied(evidence, applied);
  }
  work.reporter.update({ databaseChanged: 'Yes' });
  return appliedInWords(applied);
}

export async function applyOne(work: Work, target: Session, operation: Operation): Promise<Applied[]> {
  const options = applyOptions(work, target);
  if (!operation.migration.transactional) {
    if (!(await holdsLock(target, work.maintenance.pid, work.names.target)))
      throw new ConnectionLost('the lock was lost');
    return [await applyAlone(operation, options)];
  }
  const transaction = await Transaction.begin(target);
  try {
    const applied = await applyInTransaction(transaction, [operation], options);
    await commit(work, target);
    return applied;
  } catch (error) {
    if (!isTransient(error)) await transaction.rollBack(options.author);
    throw error;
  }
}

export function authorOf(work: Work): Author {
  return { run: work.run.uid, epoch: work.epoch };
}

export function applyOptions(work: Work, session: Session): ApplyOptions {
  return {
    session,
    author: authorOf(work),
    onMessage: (migration, { severity, message }) => {
      work.logger.info(`${migration.name}: ${severity}: ${message}`);
      if (severity === 'WARNING') warn(work.reporter, message);
    },
  };
}

export function describeApplied(evidence: Evidence, applied: Applied[]): void {
  evidence['migrations'] = applied
    .map(({ migration, direction, milliseconds }) => `${migration.name} ${direction} ${milliseconds} ms`)
    .join(', ');
}

/** What became of which revision, and how long it took. */
export function appliedInWords(applied: Applied[]): string {
  const list = applied.map(
    ({ migration: { revision }, direction, milliseconds }) =>
      `${revision} ${direction === 'up' ? 'applied' : 'undone'} in ${durationInWords(milliseconds)}`,
  );
  return `${list.join(', ')}.`;
}

type MigrationRecord = NonNullable<RunnerStatus['migrations']>[number];

export function recordApplied(work: Pick<Work, 'reporter'>, applied: Applied[], state: MigrationRecord['state']): void {
  const records = new Map((work.reporter.status.migrations ?? []).map((record) => [record.revision, record]));
  for (const { migration, milliseconds } of applied)
    records.set(migration.revision, {
      revision: migration.revision,
      state,
      milliseconds,
      checksum: migration.checksum,
    });
  work.reporter.update({ migrations: [...records.values()] });
}

/** Exit 0 proves nothing: the ledger itself must say that the revision is there. */
export async function assertRevision(session: Session, wanted: string): Promise<void> {
  const ledger = await readLedger(session);
  if (ledger?.revision !== wanted)
    throw new StepFailure(
      'CheckFailed',
      `the ledger says revision "${ledger?.revision ?? 'none'}" instead of "${wanted}"`,
    );
}
