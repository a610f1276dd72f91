import { RETRY_ANNOTATION } from '../../api/names.ts';
import type { PhaseMigration, PhaseMigrationRun } from '../../api/resources.ts';
import { isAbout, nextNumber } from './resolve.ts';

interface Asked {
  migration: PhaseMigration;
  /** All of its runs. */
  runs: PhaseMigrationRun[];
}

/** As many as the status has room for. */
const MOST_WARNINGS = 32;

/** The warnings of a run, and what was asked for about it that nobody carries out. */
export function warningsOf(
  asked: Asked,
  run: PhaseMigrationRun,
  refusedRetry: string | undefined,
): string[] | undefined {
  const own = run.status?.runner?.warnings;
  if (run.status?.outcome !== 'NeedsHuman') return own;
  const unheard = [strayRetry(refusedRetry), strayResolution(asked, run)].filter((text) => text !== undefined);
  return unheard.length > 0 ? [...(own ?? []), ...unheard].slice(-MOST_WARNINGS) : own;
}

function strayRetry(refused: string | undefined): string | undefined {
  if (refused === undefined) return undefined;
  return `The retry that annotation ${RETRY_ANNOTATION} asks for ("${refused}") is not carried out: the run waits for a decision (condition Ready names the commands). Ask with another value after the run has ended.`;
}

/** One with a lower number, or about an earlier run, was answered long ago and only stands in the manifest still. */
function strayResolution({ migration, runs }: Asked, run: PhaseMigrationRun): string | undefined {
  const asked = migration.spec.resolution;
  const next = nextNumber(run.status ?? {});
  if (!asked) return undefined;
  const isKnown = runs.some((known) => isAbout(asked, known));
  const isOfThis = isAbout(asked, run);
  if (isKnown && !(isOfThis && asked.number > next)) return undefined;
  const waiting = `what waits for a decision is run ${run.metadata.name} with UID ${run.metadata.uid}, and `;
  return `spec.resolution (${asked.action}, number ${asked.number}, for run ${asked.runName} with UID ${asked.runUID}) is not carried out: ${isOfThis ? '' : waiting}the next number is ${next}.`;
}
