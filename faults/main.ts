import { Command, InvalidArgumentError, Option } from 'commander';
import { main, withProgress } from '../e2e/cluster/terminal.ts';
import { checkMutations } from './control/mutation-check.ts';
import { hasFailed, sweep, type FaultedRun } from './control/sweep.ts';

interface Options {
  plane: 'control';
  long: boolean;
  every: boolean;
  seed: number;
  only?: string;
  jobs?: number;
  quietSeconds?: number;
  mutations?: string | true;
}

const program = new Command('npm run faults --')
  .description('Carries runs through while something goes wrong at one call or one watch, and compares how they end.')
  .addOption(new Option('--plane <name>', 'which plane: control').choices(['control']).default('control'))
  .option('--long', 'every call with three faults, and the watches, with a minute of quiet after each run', false)
  .option('--every', 'every call with every fault: hours', false)
  .option('--seed <number>', 'repeats an order and a choice', wholeNumber, Math.floor(Math.random() * 2 ** 31))
  .option('--only <id>', 'this faulted run only, as a failure names it: success/patch-run-status.3:kill-after')
  .option('--jobs <number>', 'runs that are under way at the same time', wholeNumber)
  .option('--quiet-seconds <number>', 'how long nothing may be written after the end of a run', wholeNumber)
  .option('--mutations [part of a name]', 'plant bugs in a copy of the operator and show that each is caught')
  .showHelpAfterError();

const interruption = new AbortController();
process.once('SIGTERM', () => interruption.abort());

await main(async () => {
  const options = program.parse().opts<Options>();
  process.exitCode = await (options.mutations === undefined ? runSweep(options) : runMutations(options));
});

async function runSweep(options: Options): Promise<0 | 1> {
  const began = performance.now();
  const { runs, calls, seed, restMilliseconds } = await withProgress('Fault sweep, control plane', (progress) =>
    sweep({ ...options, progress, signal: interruption.signal, onResult: tell }),
  );
  for (const [history, count] of Object.entries(calls)) console.log(`  ${history}: U1…U${count}`);
  const met = runs.filter(({ attempt }) => attempt.fired);
  const missed = runs.filter(({ attempt }) => !attempt.fired);
  const failures = runs.filter(hasFailed);
  if (missed.length > 0) console.log(`  not met in this run, not counted: ${missed.map(({ id }) => id).join(', ')}`);
  const longest = Math.max(0, ...met.map(({ attempt }) => attempt.settledAfter));
  const minutes = (performance.now() - began) / 60_000;
  console.log(
    `  last write at most ${(longest / 1000).toFixed(1)} s after the last fault (allowed: ${Math.round(restMilliseconds / 1000)} s); all in ${minutes.toFixed(1)} min`,
  );
  console.log(`\n${met.length} faulted runs, ${failures.length} failures, seed ${seed}`);
  return failures.length > 0 || met.length === 0 ? 1 : 0;
}

async function runMutations({ mutations, jobs }: Options): Promise<0 | 1> {
  const only = typeof mutations === 'string' ? mutations : undefined;
  const verdicts = await withProgress('Planted bugs, control plane', (progress) =>
    checkMutations({ only, jobs, progress, signal: interruption.signal }),
  );
  for (const { mutation, caughtBy, runs } of verdicts) {
    const how = caughtBy ? `${caughtBy.id}: ${caughtBy.problem}` : `not seen in ${runs} faulted runs`;
    console.log(`${caughtBy ? '✔' : '✖'} ${mutation.name}\n    ${how}`);
  }
  const caught = verdicts.filter(({ caughtBy }) => caughtBy).length;
  console.log(`\n${caught} of ${verdicts.length} planted bugs caught`);
  return caught === verdicts.length ? 0 : 1;
}

function tell(run: FaultedRun): void {
  if (!hasFailed(run)) return;
  const { id, attempt } = run;
  const lines = [...attempt.problems, ...attempt.log.slice(-5).map((line) => `operator: ${line}`)];
  console.log(`✖ ${id}\n${lines.map((line) => `    ${line}`).join('\n')}\n    again: npm run faults -- --only ${id}`);
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0) throw new InvalidArgumentError('It must be a whole number.');
  return value;
}
