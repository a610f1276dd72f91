import type { TestResult } from '../e2e/suite/results.ts';
import { controlPlane } from './control/plane.ts';
import { databasePlane } from './database/plane.ts';
import type { PlaneRun } from './plane.ts';

/** A sample by chance of both planes, each run of which counts as a test. Its seed is in the title of each. */
export async function runShortSweeps(signal: AbortSignal): Promise<TestResult[]> {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const results: TestResult[] = [];
  for (const plane of [controlPlane, databasePlane]) {
    const { runs } = await plane.sweep({
      long: false,
      seed,
      signal,
      // Every line of it would hide what else the tests say.
      progress: () => undefined,
      onResult: (run) => console.log(`  ${markOf(run)} ${run.id}`),
    });
    results.push(...runs.map((run) => resultOf(run, seed)));
  }
  return results;
}

function markOf({ problems, fired }: PlaneRun): string {
  if (problems.length > 0) return '✖';
  return fired ? '✔' : '- not met:';
}

/** A fault that was not met has proved nothing: its place did not come in this run, or was passed too quickly. */
function resultOf({ id, problems, fired, milliseconds }: PlaneRun, seed: number): TestResult {
  const outcome = problems.length > 0 ? 'failed' : fired ? 'passed' : 'skipped';
  const message = [...problems, `again: npm run faults -- --only ${id}`].join('\n');
  return { title: `${id} (seed ${seed})`, outcome, milliseconds, message };
}
