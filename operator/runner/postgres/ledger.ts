import { foldLedger, type LedgerRow, type LedgerState } from '../core/ledger.ts';
import type { Direction, Migration } from '../core/migrations.ts';
import { sqlState, type Session } from './session.ts';

export const LEDGER_SCHEMA = 'phasemigration';

/** Append-only: what was done is never unsaid, it is undone by another row. */
const CREATE = `
CREATE SCHEMA IF NOT EXISTS phasemigration;
CREATE TABLE IF NOT EXISTS phasemigration.ledger (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  revision text NOT NULL,
  name text NOT NULL,
  direction text NOT NULL CHECK (direction IN ('up', 'down')),
  state text NOT NULL CHECK (state IN ('baseline', 'started', 'applied', 'failed')),
  checksum text NOT NULL,
  run text,
  epoch integer,
  application text NOT NULL DEFAULT pg_catalog.current_setting('application_name'),
  role text NOT NULL DEFAULT SESSION_USER,
  started_at timestamptz NOT NULL,
  finished_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()
);
CREATE OR REPLACE FUNCTION phasemigration.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'phasemigration.ledger is append-only: % refused', TG_OP;
END
$$;
DROP TRIGGER IF EXISTS append_only ON phasemigration.ledger;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON phasemigration.ledger
  FOR EACH STATEMENT EXECUTE PROCEDURE phasemigration.refuse_change();
COMMENT ON TABLE phasemigration.ledger IS 'Which migrations were applied and undone, in order; written in the transaction of the migration itself.'`;

/** Makes the ledger where there is none; in one transaction. */
export async function createLedger(session: Session): Promise<void> {
  // One message is one transaction.
  await session.query(CREATE);
}

/** The ledger's rows in order, or undefined where the database has none. */
export async function readLedgerRows(session: Session): Promise<LedgerRow[] | undefined> {
  const exists = await session.query(
    `SELECT 1 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = 'phasemigration' AND c.relname = 'ledger' AND c.relkind = 'r'`,
  );
  if (exists.length === 0) return undefined;
  const rows = await session.query(
    'SELECT id, revision, name, direction, state, checksum, run FROM phasemigration.ledger ORDER BY id',
  );
  return rows as unknown as LedgerRow[];
}

export async function readLedger(session: Session): Promise<LedgerState | undefined> {
  const rows = await readLedgerRows(session);
  return rows && foldLedger(rows);
}

export interface LedgerEntry {
  migration: Migration;
  direction: Direction;
  state: LedgerRow['state'];
  /** UID of the run; absent for what a person does. */
  run?: string;
  epoch?: number;
  startedAt: Date;
}

/** Appends a row; in the caller's transaction, if it is in one. */
export async function appendLedger(session: Session, entry: LedgerEntry): Promise<void> {
  const { migration, direction, state, run, epoch, startedAt } = entry;
  await session.query(
    `INSERT INTO phasemigration.ledger (revision, name, direction, state, checksum, run, epoch, started_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
    [
      ...[migration.revision, migration.name, direction, state, migration.checksum],
      ...[run ?? null, epoch ?? null, startedAt.toISOString()],
    ],
  );
}

/** Whether an error means that the ledger is not there or not readable. */
export function isLedgerUnreadable(error: unknown): boolean {
  return ['42501', '42P01', '3F000'].includes(sqlState(error) ?? '');
}
