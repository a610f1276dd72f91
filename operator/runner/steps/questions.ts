import type { Check } from '../../api/plan.ts';
import type { Reason } from '../../api/reasons.ts';
import { StepFailure } from '../core/failure.ts';
import { compareFigures } from '../core/snapshots.ts';
import { askChecks, FigureFailed, takeFigures, type SchemaSide } from '../postgres/ask.ts';
import type { Session } from '../postgres/session.ts';
import { verifiedInWords } from '../core/words.ts';
import type { Evidence, Work } from '../work.ts';

/** One question before the outage may take so long; users are still working. */
export const PREPARATION_QUESTION_MS = 60_000;

/** No question may take longer than the whole outage may. */
export function questionTimeout(work: Pick<Work, 'spec'>): number {
  return work.spec.plan.outageDeadlineSeconds * 1000;
}

/** Which of the two schemas is there before the run does anything. */
export function startSide(work: Pick<Work, 'spec'>): SchemaSide {
  return work.spec.direction === 'Up' ? 'old' : 'new';
}

/** Checks of the schema as it is before the way up; on the way down it is another, and no user's mistake. */
export function checksBefore({ spec }: Pick<Work, 'spec'>): Check[] {
  return spec.direction === 'Up' ? spec.plan.preflight.checks : [];
}

export interface Questions {
  checks: Check[];
  /** Figures that must come out as recorded. */
  figures: Record<string, string>;
  side: SchemaSide;
  inTransaction: boolean;
  /** Instead of SnapshotMismatch and CheckFailed. */
  reason?: Reason;
}

/**
 * Compares all figures and asks all checks.
 *
 * @returns what was as expected, for people
 * @throws StepFailure SnapshotMismatch or CheckFailed, naming everything that is wrong
 */
export async function verify(work: Work, session: Session, questions: Questions, evidence: Evidence): Promise<string> {
  const options = { inTransaction: questions.inTransaction, timeoutMs: questionTimeout(work) };
  const mismatches = await figureMismatches(work, session, questions, options);
  const failures = await askChecks(session, questions.checks, options);
  evidence['checks'] = `${questions.checks.length - failures.length} of ${questions.checks.length} as expected`;
  evidence['figuresCompared'] = String(Object.keys(questions.figures).length);
  const wrong = [...mismatches, ...failures];
  if (wrong.length > 0)
    throw new StepFailure(
      questions.reason ?? (mismatches.length > 0 ? 'SnapshotMismatch' : 'CheckFailed'),
      wrong.join('\n'),
    );
  return verifiedInWords(questions.checks.length, Object.keys(questions.figures).length);
}

async function figureMismatches(
  work: Work,
  session: Session,
  questions: Questions,
  options: { inTransaction: boolean; timeoutMs: number },
): Promise<string[]> {
  try {
    const snapshots = work.spec.plan.snapshots.filter(({ name }) => name in questions.figures);
    const now = await takeFigures(session, { snapshots, side: questions.side }, options);
    return Object.entries(now).flatMap(([name, figure]) => {
      const difference = compareFigures(questions.figures[name]!, figure);
      return difference ? [`figure "${name}" ${difference}`] : [];
    });
  } catch (error) {
    if (error instanceof FigureFailed) return [error.message];
    throw error;
  }
}
