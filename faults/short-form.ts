import type { TestResult } from '../e2e/suite/results.ts';
import { controlPlane } from './control/plane.ts';
import { databasePlane } from './database/plane.ts';
import { runnerPlane } from './runner/plane.ts';
import type { Plane, PlaneRun } from './plane.ts';

/**
 * A sample by chance of all planes, each run of which counts as a test. Its seed is in the title of each. All are
 * played at the same time, since most of either is waiting.
 */
export async function runShortSweeps(signal: AbortSignal): Promise<TestResult[]> {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const swept = await Promise.all(
    [controlPlane, runnerPlane, databasePlane].map((plane) => runShortSweep(plane, seed, signal)),
  );
  return swept.flat();
}

async function runShortSweep({ sweep }: Plane, seed: number, signal: AbortSignal): Promise<TestResult[]> {
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
