import { CHECKSUM_LENGTH, judgedFiles, othersThanJudged, type JudgedFiles } from '../core/judged-files.ts';
import { planOperations, isViolation, type Operation } from '../core/migrations.ts';
import { changedSince, checksumOf, loadMigrations } from '../files.ts';
import { openTarget } from '../establish.ts';
import { StepFailure } from '../core/failure.ts';
import { databaseExists } from '../postgres/clone.ts';
import { readLedger } from '../postgres/ledger.ts';
import type { LedgerState } from '../core/ledger.ts';
import { stepOf, type Evidence, type Work } from '../work.ts';

/**
 * Loads the migration files and what the run does with them, where that has not been done yet.
 *
 * @returns why they cannot be used, in a sentence for people: since they were judged before the outage, somebody has
 *   taken some away or put others among them. Nothing is loaded then.
 */
export async function load(work: Work): Promise<StepFailure | undefined> {
  if (work.operations.length > 0) return undefined;
  const { migrations } = await loadMigrations(work.folders.migrations);
  const plan = planOperations(migrations, work.spec);
  const violation = plan.find(isViolation) ?? othersThanJudged(judged(work), revisionsOf(plan as Operation[]));
  if (violation) {
    const { configMapRef, image } = work.spec.plan.migrations;
    const source = configMapRef ? `ConfigMap ${configMapRef.name}` : `image ${image}`;
    const message = `the migration files of ${source} are not those that were judged before the outage: ${violation.message}`;
    return new StepFailure(violation.reason, message);
  }
  work.files = migrations;
  work.operations = plan as Operation[];
  return undefined;
}

const FILES = 'files';

/** Records what was judged before the outage. */
export function recordFiles({ operations }: Work, evidence: Evidence): void {
  const files = operations.map((operation) => [operation.migration.revision, shortChecksumOf(operation)].join(' '));
  evidence[FILES] = files.join(', ');
}

function shortChecksumOf(operation: Operation): string {
  return checksumOf(operation).slice(0, CHECKSUM_LENGTH);
}

function revisionsOf(operations: Operation[]): string[] {
  return operations.map(({ migration }) => migration.revision);
}

function judged({ reporter }: Pick<Work, 'reporter'>): JudgedFiles {
  return judgedFiles(stepOf(reporter.status, 'Preflight')?.evidence?.[FILES]);
}

/** The first operation that is not what an earlier start judged before the outage, in a sentence for people. */
export function changedSinceJudged(work: Work, operations: Operation[]): StepFailure | undefined {
  const checksums = new Map(judged(work).files.map(({ revision, checksum }) => [revision, checksum]));
  for (const operation of operations) {
    const then = checksums.get(operation.migration.revision);
    if (then && then !== shortChecksumOf(operation)) return changedSince(operation, then, checksumOf(operation));
  }
  return undefined;
}

/** How far the database says that the run has come. */
export interface Progress {
  ledger: LedgerState;
  /** How many of the run's operations are applied, counted from the first; without files: 1 for any number. */
  applied: number;
  /** An operation outside a transaction that was announced and whose end nobody recorded. */
  unexplained?: string;
  /** An operation of this run that failed and may have left something behind. */
  failed?: string;
}

/**
 * Reads from the ledger how far the run has come, and says so in the status: this, and not what was reported before a
 * crash, is the truth.
 *
 * @throws StepFailure UnexpectedRevision when the ledger is at none of the run's revisions
 */
export async function readProgress(work: Work): Promise<Progress> {
  const target = await openTarget(work);
  const ledger = (await readLedger(target)) ?? { applied: [], unexplained: [], failed: [] };
  const applied = appliedOf(work, ledger);
  const unexplained = ledger.unexplained[0]?.name;
  if (applied > 0 && ledger.lastRun !== work.run.uid)
    throw new StepFailure(
      'UnexpectedRevision',
      `somebody else migrated database "${work.names.target}" to "${ledger.revision}" since the preflight`,
    );
  if (applied < 0)
    throw new StepFailure(
      'UnexpectedRevision',
      `the ledger of database "${work.names.target}" says revision "${ledger.revision ?? 'none'}", which this run never leads through`,
    );
  // It leaves traces that no revision tells of.
  const failed = ledger.failed.find(({ run }) => run === work.run.uid)?.name;
  const databaseChanged = unexplained ? 'Unknown' : applied > 0 || failed ? 'Yes' : 'No';
  work.reporter.update({ databaseChanged, ...(ledger.revision ? { revision: ledger.revision } : {}) });
  return { ledger, applied, ...(unexplained ? { unexplained } : {}), ...(failed ? { failed } : {}) };
}

function appliedOf(work: Work, { revision = '', lastRun }: LedgerState): number {
  const { startRevision } = work.spec;
  // Without the files it is not known what lies between; what this run did itself its own row tells.
  if (work.operations.length === 0) return revision === startRevision ? 0 : lastRun === work.run.uid ? 1 : -1;
  return [startRevision, ...work.operations.map((operation) => revisionAfter(work, operation))].indexOf(revision);
}

function revisionAfter(work: Work, { migration, direction }: Operation): string {
  if (direction === 'up') return migration.revision;
  return work.files[work.files.indexOf(migration) - 1]?.revision ?? '';
}

/** Whether the restore point has taken the database's place: both renames happen in one transaction. */
export async function isSwapped(work: Work): Promise<boolean> {
  const { maintenance, names } = work;
  return (await databaseExists(maintenance, names.failed)) && !(await databaseExists(maintenance, names.restorePoint));
}
