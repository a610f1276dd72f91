import { Command, InvalidArgumentError, Option } from 'commander';
import { main, withProgress } from '../e2e/cluster/terminal.ts';
import { controlPlane } from './control/plane.ts';
import { databasePlane } from './database/plane.ts';
import { PREFIX as DATABASE_PREFIX } from './database/cases.ts';
import type { Plane, PlaneRun, Verdict } from './plane.ts';
import { PREFIX as RUNNER_PREFIX } from './runner/attempt.ts';
import { runnerPlane } from './runner/plane.ts';

type PlaneName = 'control' | 'runner' | 'database' | 'all';

interface Options {
  plane: PlaneName;
  long: boolean;
  every: boolean;
  seed: number;
  fault?: string;
  only?: string;
  jobs?: number;
  quietSeconds?: number;
  mutations?: string | true;
}

const planes: Record<PlaneName, Plane[]> = {
  control: [controlPlane],
  runner: [runnerPlane],
  database: [databasePlane],
  all: [controlPlane, runnerPlane, databasePlane],
};

const program = new Command('npm run faults --')
  .description('Carries runs through while something goes wrong at one place, and compares how they end.')
  .addOption(
    new Option('--plane <name>', 'which plane: control, runner, database').choices(Object.keys(planes)).default('all'),
  )
  .option('--long', 'every call and statement with some of the faults, and the watches: about an hour', false)
  .option('--every', 'every call and statement with every fault: hours', false)
  .option('--fault <name>', 'every call or statement with this fault: after-end')
  .option('--seed <number>', 'repeats an order and a choice', wholeNumber, Math.floor(Math.random() * 2 ** 31))
  .option('--only <id>', 'this faulted run only, as a failure names it: success/patch-run-status.3:kill-after')
  .option('--jobs <number>', 'runs that are under way at the same time', wholeNumber)
  .option('--quiet-seconds <number>', 'control: how long nothing may be written after the end of a run', wholeNumber)
  .option('--mutations [part of a name]', 'plant bugs in a copy of the program and show that each is caught')
  .showHelpAfterError();

const interruption = new AbortController();
// Not once: execa would take the last listener's going for nobody's wish to clean up.
process.on('SIGTERM', () => interruption.abort());

await main(async () => {
  const options = program.parse().opts<Options>();
  process.exitCode = await (options.mutations === undefined ? runSweeps(options) : runMutations(options));
});

/** An id says of which plane it is. */
function planesOf({ plane, only }: Options): Plane[] {
  if (only === undefined) return planes[plane];
  if (only.startsWith(RUNNER_PREFIX)) return planes.runner;
  return only.startsWith(DATABASE_PREFIX) ? planes.database : planes.control;
}

async function runSweeps(options: Options): Promise<0 | 1> {
  const runs: PlaneRun[] = [];
  for (const plane of planesOf(options)) runs.push(...(await runSweep(plane, options)));
  const met = runs.filter(({ fired }) => fired);
  const failures = runs.filter(({ problems }) => problems.length > 0);
  console.log(`\n${met.length} faulted runs, ${failures.length} failures, seed ${options.seed}`);
  return failures.length > 0 || met.length === 0 ? 1 : 0;
}

async function runSweep(plane: Plane, options: Options): Promise<PlaneRun[]> {
  const began = performance.now();
  const {
    runs,
    places,
    notes = [],
    restMilliseconds,
  } = await withProgress(`Fault sweep, ${plane.title}`, (progress) =>
    plane.sweep({ ...options, progress, signal: interruption.signal, onResult: (run) => tell(plane, run) }),
  );
  for (const [history, what] of Object.entries(places)) console.log(`  ${history}: ${what}`);
  for (const note of notes) console.log(`  ${note}`);
  const met = runs.filter(({ fired }) => fired);
  const missed = runs.filter(({ fired }) => !fired);
  if (missed.length > 0) console.log(`  not met in this run, not counted: ${missed.map(({ id }) => id).join(', ')}`);
  const longest = Math.max(0, ...met.map(({ settledAfter }) => settledAfter));
  const minutes = (performance.now() - began) / 60_000;
  console.log(
    `  ${plane.title}: ${met.length} faulted runs, ${plane.rest} at most ${(longest / 1000).toFixed(1)} s after the last fault (allowed: ${Math.round(restMilliseconds / 1000)} s); all in ${minutes.toFixed(1)} min`,
  );
  return runs;
}

async function runMutations({ plane, mutations, jobs }: Options): Promise<0 | 1> {
  const only = typeof mutations === 'string' ? mutations : undefined;
  const verdicts: Verdict[] = [];
  const meant = planes[plane].filter(({ plantedBugs }) => plantedBugs.some((name) => name.includes(only ?? '')));
  if (meant.length === 0) throw new Error(`No planted bug has "${only}" in its name.`);
  for (const { title, checkMutations } of meant)
    verdicts.push(
      ...(await withProgress(`Planted bugs, ${title}`, (progress) =>
        checkMutations({ only, jobs, progress, signal: interruption.signal }),
      )),
    );
  for (const { mutation, caughtBy, runs } of verdicts) {
    const how = caughtBy ? `${caughtBy.id}: ${caughtBy.problem}` : `not seen in ${runs} faulted runs`;
    console.log(`${caughtBy ? '✔' : '✖'} ${mutation.name}\n    ${how}`);
  }
  const caught = verdicts.filter(({ caughtBy }) => caughtBy).length;
  console.log(`\n${caught} of ${verdicts.length} planted bugs caught`);
  return caught === verdicts.length ? 0 : 1;
}

function tell({ actor }: Plane, { id, problems, log }: PlaneRun): void {
  if (problems.length === 0) return;
  const lines = [...problems, ...log.slice(-5).map((line) => `${actor}: ${line}`)];
  console.log(`✖ ${id}\n${lines.map((line) => `    ${line}`).join('\n')}\n    again: npm run faults -- --only ${id}`);
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0) throw new InvalidArgumentError('It must be a whole number.');
  return value;
}
