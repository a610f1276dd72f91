import { StepFailure } from './core/failure.ts';
import type { LedgerState } from './core/ledger.ts';
import { isViolation, judgeHistory, planOperations, type Migration, type Operation } from './core/migrations.ts';
import { applicationByHand, ByHandLock } from './by-hand-lock.ts';
import { loadMigrations } from './files.ts';
import { appendLedger, createLedger, readLedger, readLedgerRows } from './postgres/ledger.ts';
import { Session } from './postgres/session.ts';
import { parseDatabaseUrl } from './postgres/url.ts';
import { judgeMigration } from './sql.ts';
import { applyAlone, applyInTransaction, type ApplyOptions } from './steps/apply.ts';
import { Transaction } from './steps/transaction.ts';
import { isTransient } from './work.ts';

/** What a person or a deployment of the first version asks for, outside any run. */
export interface ByHandOptions {
  databaseUrl: string | undefined;
  maintenanceDatabase: string;
  folder: string;
  to: string;
  direction: 'up' | 'down';
  /** Declares everything up to this revision to be there already. */
  baseline?: string;
  print: (line: string) => void;
}

/**
 * Migrates a database outside any run, with the same ledger, the same lock and the same refusals.
 *
 * @throws StepFailure with one sentence for people; WaitingForLock says who works on the database
 */
export async function migrateByHand(options: ByHandOptions): Promise<void> {
  const address = parseDatabaseUrl(options.databaseUrl);
  const { maintenanceDatabase, print } = options;
  const lock = await ByHandLock.take({ address, maintenanceDatabase, print });
  try {
    const session = await Session.open(address, address.database, applicationByHand());
    try {
      await migrateOn(session, lock, options);
    } finally {
      await session.close();
    }
  } finally {
    await lock.release();
  }
}

async function migrateOn(session: Session, lock: ByHandLock, options: ByHandOptions): Promise<void> {
  const { migrations, violations } = await loadMigrations(options.folder);
  const syntax = (await Promise.all(migrations.map(judgeMigration))).flat();
  await createLedger(session);
  if (options.baseline) await declareBaseline(session, migrations, { ...options, baseline: options.baseline });
  const ledger = await readLedger(session);
  refuseUnexplained(ledger, session.database);
  const wrong = [...violations, ...syntax, ...judgeHistory(migrations, ledger?.applied ?? [])];
  if (wrong[0]) throw new StepFailure(wrong[0].reason, wrong.map(({ message }) => message).join('\n'));
  if (ledger?.revision === options.to) return options.print(`already at ${options.to}`);
  await carryOut(session, lock, operationsTo(migrations, ledger?.revision, options), options);
}

/** How far it came is not known: neither trying it again nor leaving it out can be right. */
function refuseUnexplained(ledger: LedgerState | undefined, database: string): void {
  const begun = (ledger?.unexplained ?? []).map(({ name, direction }) => `"${name}" (${direction})`);
  if (begun.length === 0) return;
  throw new StepFailure(
    'UnexpectedRevision',
    `the ledger of database "${database}" says that ${begun.join(', ')} was begun outside a transaction and not how it ended; find out how far it came, bring that to an end by hand, and record it before anything else: a row in phasemigration.ledger like the one with state "started", with state "applied" if all of it is there, or "failed" if nothing of it is`,
  );
}

function operationsTo(migrations: Migration[], from: string | undefined, options: ByHandOptions): Operation[] {
  if (from === undefined) {
    if (options.direction === 'down') throw nothingToUndo(options);
    const last = migrations.findIndex(({ revision }) => revision === options.to);
    if (last < 0) throw new StepFailure('UnknownRevision', `revision "${options.to}" has no migration file`);
    return migrations.slice(0, last + 1).map((migration) => ({ migration, direction: 'up' }));
  }
  const direction = options.direction === 'up' ? 'Up' : 'Down';
  const plan = planOperations(migrations, { direction, startRevision: from, targetRevision: options.to });
  const violation = plan.find(isViolation);
  if (violation) throw new StepFailure(violation.reason, violation.message);
  return plan.filter((item): item is Operation => !isViolation(item));
}

function nothingToUndo({ databaseUrl, to }: ByHandOptions): StepFailure {
  const { database } = parseDatabaseUrl(databaseUrl);
  return new StepFailure(
    'UnexpectedRevision',
    `nothing is applied to database "${database}" that could be undone, by what its ledger says; to apply migrations leave out --down, and what is there already is declared with: --baseline REVISION --to ${to} --down`,
  );
}

async function carryOut(
  session: Session,
  lock: ByHandLock,
  operations: Operation[],
  options: ByHandOptions,
): Promise<void> {
  const apply: ApplyOptions = {
    session,
    author: {},
    onMessage: (migration, { severity, message }) => options.print(`${migration.name}: ${severity}: ${message}`),
  };
  for (const operation of operations) {
    const { migration, direction } = operation;
    lock.begin(`${migration.name} ${direction}`);
    if (!migration.transactional) await lock.assertHeld(session);
    const milliseconds = migration.transactional
      ? await inTransaction(operation, lock, { ...apply, print: options.print })
      : (await applyAlone(operation, apply)).milliseconds;
    options.print(`${migration.name} ${direction === 'up' ? 'applied' : 'undone'} in ${milliseconds} ms`);
  }
}

async function inTransaction(
  operation: Operation,
  lock: ByHandLock,
  { print, ...apply }: ApplyOptions & Pick<ByHandOptions, 'print'>,
): Promise<number> {
  const { session } = apply;
  const transaction = await Transaction.begin(session);
  try {
    const [applied] = await applyInTransaction(transaction, [operation], apply);
    await lock.assertHeld(session);
    await session.query('COMMIT');
    return applied?.milliseconds ?? 0;
  } catch (error) {
    const { name } = operation.migration;
    if (!isTransient(error) && !(await transaction.rollBack(apply.author)))
      print(`${name} committed a part of what it did; see what is there before it is tried again`);
    throw error;
  }
}

async function declareBaseline(
  session: Session,
  migrations: Migration[],
  options: ByHandOptions & { baseline: string },
): Promise<void> {
  const ledger = await readLedger(session);
  if (ledger?.revision !== undefined)
    throw new StepFailure(
      'UnexpectedRevision',
      `the ledger is at "${ledger.revision}" already; a baseline is declared for a database without one`,
    );
  const last = migrations.findIndex(({ revision }) => revision === options.baseline);
  if (last < 0) throw new StepFailure('UnknownRevision', `revision "${options.baseline}" has no migration file`);
  await session.query('BEGIN');
  for (const migration of migrations.slice(0, last + 1))
    await appendLedger(session, { migration, direction: 'up', state: 'baseline', startedAt: new Date() });
  await session.query('COMMIT');
  options.print(`declared ${options.baseline} as what is there`);
}

/** Prints the ledger, oldest row first. */
export async function printLedger(options: Pick<ByHandOptions, 'databaseUrl' | 'print'>): Promise<void> {
  const address = parseDatabaseUrl(options.databaseUrl);
  const session = await Session.open(address, address.database, applicationByHand());
  try {
    const rows = await readLedgerRows(session);
    if (!rows) return options.print('no ledger');
    for (const row of rows)
      options.print([row.id, row.name, row.direction, row.state, row.checksum.slice(0, 12), row.run ?? '-'].join('  '));
    options.print(`at revision ${(await readLedger(session))?.revision ?? 'none'}`);
  } finally {
    await session.close();
  }
}
