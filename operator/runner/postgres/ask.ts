import type { Check, Snapshot } from '../../api/plan.ts';
import { judgeCheck, type Answer } from '../core/checks.ts';
import { recordFigure, type FigureRow } from '../core/snapshots.ts';
import { describeDatabaseError, sqlState, type Session } from './session.ts';

/** For one transaction: how values are written must not depend on what somebody set for the database or the role. */
export const PINNED = `
SET LOCAL search_path = pg_catalog, public, pg_temp;
SET LOCAL transaction_read_only = on;
SET LOCAL row_security = off;
SET LOCAL TimeZone = 'UTC';
SET LOCAL DateStyle = 'ISO, YMD';
SET LOCAL IntervalStyle = 'postgres';
SET LOCAL extra_float_digits = 1;
SET LOCAL bytea_output = 'hex';
SET LOCAL lc_monetary = 'C'`;

export interface AskOptions {
  /** Whether the session is inside a transaction, whose uncommitted changes are asked about. */
  inTransaction: boolean;
  /** For one query, in milliseconds. */
  timeoutMs: number;
}

/**
 * Carries out a question so that it can change nothing and see nothing but the data: read-only, pinned settings, rolled
 * back afterwards; inside a transaction by means of a savepoint.
 */
async function asking<T>(session: Session, options: AskOptions, question: () => Promise<T>): Promise<T> {
  const { inTransaction, timeoutMs } = options;
  const [begin, end] = inTransaction
    ? [
        'SAVEPOINT phasemigration_question',
        'ROLLBACK TO SAVEPOINT phasemigration_question; RELEASE SAVEPOINT phasemigration_question',
      ]
    : ['BEGIN', 'ROLLBACK'];
  await session.query(`${begin};${PINNED};SET LOCAL statement_timeout = ${Math.round(timeoutMs)}`);
  try {
    return await question();
  } finally {
    await session.query(end);
  }
}

/** @returns undefined when the answer is as expected, else what is wrong, beginning with the check's name */
export async function askCheck(session: Session, check: Check, options: AskOptions): Promise<string | undefined> {
  const answer = await asking(session, options, () => answerOf(session, check.query));
  const wrong = judgeCheck(check, answer);
  if (wrong === undefined) return undefined;
  return `check "${check.name}": ${wrong}${check.message ? `. ${check.message}` : ''}`;
}

async function answerOf(session: Session, query: string): Promise<Answer> {
  let rows = 0;
  let first: (string | null)[] | undefined;
  try {
    const columns = await session.each(query, (row) => {
      rows++;
      first ??= row;
    });
    return { rows, columns, ...(first ? { first } : {}) };
  } catch (error) {
    const state = sqlState(error);
    if (state === undefined) throw error;
    return { error: state, message: describeDatabaseError(error) };
  }
}

/** Asks all checks, one after the other, and gathers everything that is wrong. */
export async function askChecks(session: Session, checks: Check[], options: AskOptions): Promise<string[]> {
  const wrong: string[] = [];
  for (const check of checks) {
    const failure = await askCheck(session, check, options);
    if (failure !== undefined) wrong.push(failure);
  }
  return wrong;
}

/** Which of a snapshot's two queries fits the schema that is there. */
export type SchemaSide = 'old' | 'new';

export function queryFor(snapshot: Snapshot, side: SchemaSide): string {
  return side === 'old' ? snapshot.query : (snapshot.queryAfter ?? snapshot.query);
}

/** The figures as they are recorded, by name. */
export async function takeFigures(
  session: Session,
  questions: { snapshots: Snapshot[]; side: SchemaSide },
  options: AskOptions,
): Promise<Record<string, string>> {
  const figures: Record<string, string> = {};
  for (const snapshot of questions.snapshots) {
    const rows: FigureRow[] = [];
    try {
      await asking(session, options, () => session.each(queryFor(snapshot, questions.side), (row) => rows.push(row)));
    } catch (error) {
      if (sqlState(error) === undefined) throw error;
      throw new FigureFailed(snapshot.name, describeDatabaseError(error));
    }
    figures[snapshot.name] = recordFigure(rows);
  }
  return figures;
}

/** A snapshot's query failed. */
export class FigureFailed extends Error {
  override readonly name = 'FigureFailed';
  constructor(snapshot: string, why: string) {
    super(`snapshot "${snapshot}" could not be taken: ${why}`);
  }
}
