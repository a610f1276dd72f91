import { Umzug } from 'umzug';
import { StepFailure } from '../core/failure.ts';
import type { Direction, Migration, Operation } from '../core/migrations.ts';
import { refuseChangedModule } from '../files.ts';
import { appendLedger } from '../postgres/ledger.ts';
import { describeDatabaseError, type Session } from '../postgres/session.ts';
import { runModule } from '../module-migration.ts';
import { statementsOf } from '../sql.ts';
import type { Author, Transaction } from './transaction.ts';

export interface Applied {
  migration: Migration;
  direction: Direction;
  milliseconds: number;
}

export interface ApplyOptions {
  session: Session;
  author: Author;
  /** Told of every WARNING and NOTICE of a migration. */
  onMessage: (migration: Migration, message: { severity: string; message: string }) => void;
}

/**
 * Carries out operations of one direction in the caller's transaction: each migration and its ledger row, through umzug.
 * umzug calls up() and its storage one after the other without a transaction of its own; both speak on the same session
 * here, so that they are committed together or not at all.
 *
 * @throws StepFailure MigrationFailed with PostgreSQL's own message
 */
export async function applyInTransaction(
  transaction: Transaction,
  operations: Operation[],
  options: ApplyOptions,
): Promise<Applied[]> {
  const { session } = options;
  const applied: Applied[] = [];
  const startedAt = new Map<string, Date>();
  const byName = new Map(operations.map((operation) => [operation.migration.name, operation]));
  const direction = operations[0]?.direction ?? 'up';

  const carryOut = async (name: string) => {
    const { migration } = byName.get(name)!;
    startedAt.set(name, await transaction.enter(migration, direction));
    const began = performance.now();
    await runOne(migration, direction, options);
    await session.pin();
    await transaction.assertOpen();
    applied.push({ migration, direction, milliseconds: Math.round(performance.now() - began) });
  };
  const log = async ({ name }: { name: string }) => {
    const { migration } = byName.get(name)!;
    await appendLedger(session, {
      migration,
      direction,
      state: 'applied',
      startedAt: startedAt.get(name)!,
      ...options.author,
    });
  };
  // umzug reverts from the end of what was executed; it is told of nothing but this run's own.
  const executed = direction === 'down' ? operations.map(({ migration }) => migration.name).reverse() : [];
  const inOrder = direction === 'down' ? [...operations].reverse() : operations;
  const umzug = new Umzug({
    migrations: inOrder.map(({ migration: { name } }) => ({
      name,
      up: () => carryOut(name),
      down: () => carryOut(name),
    })),
    storage: { executed: () => Promise.resolve(executed), logMigration: log, unlogMigration: log },
    logger: undefined,
  });
  try {
    if (direction === 'up') await umzug.up();
    else await umzug.down({ to: 0 });
  } catch (error) {
    // umzug wraps what a migration threw; the cause is what matters.
    const cause = error instanceof Error && error.cause ? error.cause : error;
    throw cause;
  }
  return applied;
}

async function runOne(migration: Migration, direction: Direction, options: ApplyOptions): Promise<void> {
  const { session } = options;
  const script = direction === 'up' ? migration.up : migration.down;
  if (script === undefined) throw new StepFailure('DownMissing', `migration "${migration.name}" has no down`);
  session.onNotice = (notice) => options.onMessage(migration, notice);
  try {
    if (migration.kind === 'js') {
      await refuseChangedModule({ migration, direction });
      await runModule(session, { path: script, direction, transactional: migration.transactional });
      // It may have been changed just before it was read.
      await refuseChangedModule({ migration, direction });
    } else if (migration.transactional) await session.query(script);
    else for (const { text } of await statementsOf(script)) await session.query(text);
  } catch (error) {
    throw explainFailure(error, migration, direction);
  } finally {
    session.onNotice = () => undefined;
  }
}

function explainFailure(error: unknown, migration: Migration, direction: Direction): unknown {
  if (error instanceof Error && ['ConnectionLost', 'Interrupted', 'StepFailure'].includes(error.name)) return error;
  const what = direction === 'up' ? 'migration' : 'down of migration';
  return new StepFailure('MigrationFailed', `${what} "${migration.name}": ${describeDatabaseError(error)}`);
}

/**
 * Carries out one operation that cannot run in a transaction: announced in the ledger first, so that a crash in the
 * middle is seen afterwards and never retried blindly.
 *
 * @throws StepFailure MigrationFailed; the ledger then says `failed`
 */
export async function applyAlone(operation: Operation, options: ApplyOptions): Promise<Applied> {
  const { migration, direction } = operation;
  const { session, author } = options;
  const startedAt = new Date();
  const began = performance.now();
  // Nothing is announced that is not begun.
  await refuseChangedModule(operation);
  await appendLedger(session, { migration, direction, state: 'started', startedAt, ...author });
  const invalidBefore = await invalidIndexes(session);
  try {
    await runOne(migration, direction, options);
    await session.pin();
    await refuseInvalidIndexes(session, migration, invalidBefore);
  } catch (error) {
    if (error instanceof StepFailure) {
      await session.query('ROLLBACK');
      await session.pin();
      await appendLedger(session, { migration, direction, state: 'failed', startedAt, ...author });
    }
    throw error;
  }
  await appendLedger(session, { migration, direction, state: 'applied', startedAt, ...author });
  return { migration, direction, milliseconds: Math.round(performance.now() - began) };
}

async function invalidIndexes(session: Session): Promise<string[]> {
  const rows = await session.query(
    `SELECT i.indexrelid::pg_catalog.regclass::text AS name FROM pg_catalog.pg_index i
     JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid WHERE NOT i.indisvalid AND c.relkind = 'i'`,
  );
  return rows.map((row) => row['name']!);
}

/** CREATE INDEX CONCURRENTLY may leave an index behind that is kept up to date and never used. */
async function refuseInvalidIndexes(session: Session, migration: Migration, before: string[]): Promise<void> {
  const left = (await invalidIndexes(session)).filter((name) => !before.includes(name));
  if (left.length === 0) return;
  const names = left.map((name) => `"${name}"`).join(', ');
  throw new StepFailure(
    'MigrationFailed',
    `migration "${migration.name}" left invalid indexes: ${names}; drop them and let it build them anew`,
  );
}
