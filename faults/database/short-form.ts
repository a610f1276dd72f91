import type { TestResult } from '../../e2e/suite/results.ts';
import { hasFailed, sweep, type FaultedRun } from './sweep.ts';

/** A sample by chance of every quick fault, each run of which counts as a test. Its seed is in the title of each. */
export async function runShortDatabaseSweep(signal: AbortSignal): Promise<TestResult[]> {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const { runs } = await sweep({
    long: false,
    seed,
    signal,
    // Every line of it would hide what else the tests say.
    progress: () => undefined,
    onResult: (run) => console.log(`  ${markOf(run)} ${run.id}`),
  });
  return runs.map((run) => resultOf(run, seed));
}

function markOf(run: FaultedRun): string {
  if (hasFailed(run)) return '✖';
  return run.attempt.fired ? '✔' : '- not met:';
}

/** A fault that was not met has proved nothing: its statement did not come in this run, or was too quick for it. */
function resultOf(run: FaultedRun, seed: number): TestResult {
  const outcome = hasFailed(run) ? 'failed' : run.attempt.fired ? 'passed' : 'skipped';
  const message = [...run.attempt.problems, `again: npm run faults -- --only ${run.id}`].join('\n');
  return { title: `${run.id} (seed ${seed})`, outcome, milliseconds: run.milliseconds, message };
}
