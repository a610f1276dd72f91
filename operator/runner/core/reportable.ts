import type { RunnerStatus } from '../../api/phase-migration-run.ts';
import type { RunnerStep } from '../../api/step.ts';
import { excerpt } from './excerpt.ts';

/**
 * How much the API server takes of each (operator/api). A report with more than that is refused as a whole, and so is
 * every later one: the run would wait for ever, behind its fence.
 */
export const LONGEST_REVISION = 63;
const LONGEST = { message: 8192, evidence: 4096, warning: 4096, waitingFor: 2048, revision: LONGEST_REVISION };
const MOST_MIGRATIONS = 500;

/** A step as it is reported. */
export function reportableStep(step: RunnerStep): RunnerStep {
  const { message, evidence } = step;
  return {
    ...step,
    ...(message === undefined ? {} : { message: excerpt(message, LONGEST.message) }),
    ...(evidence === undefined ? {} : { evidence: reportableEvidence(evidence) }),
  };
}

function reportableEvidence(evidence: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(evidence).map(([key, text]) => [key, excerpt(text, LONGEST.evidence)]));
}

/** A warning as it is reported. */
export function reportableWarning(text: string): string {
  return excerpt(text, LONGEST.warning);
}

/** A change of the status as it is reported; of steps and warnings see above. */
export function reportableChange(change: Partial<RunnerStatus>): Partial<RunnerStatus> {
  const { waitingFor, revision, migrations } = change;
  return {
    ...change,
    ...(waitingFor === undefined ? {} : { waitingFor: excerpt(waitingFor, LONGEST.waitingFor) }),
    // What is in the ledger of a database need not be a revision that a plan could name.
    ...(revision === undefined ? {} : { revision: excerpt(revision, LONGEST.revision) }),
    ...(migrations === undefined ? {} : { migrations: migrations.slice(-MOST_MIGRATIONS) }),
  };
}
