import { Command, InvalidArgumentError } from 'commander';
import type { Progress } from '../cluster/progress.ts';
import { BuildBeside } from './build-beside.ts';
import { count, exitCode, report, seconds, summaryLine, type StageResult } from './results.ts';
import { runStage, stages, type Stage } from './stages.ts';

/** `npm test`: everything that is proved, from the sources to whole clusters. README.md lists the options. */

interface Options {
  only: string[];
  grep?: string;
}

const names = stages.map(({ name }) => name);
const program = new Command('npm test --')
  .description('Runs all tests, after setting up by itself whatever they need.')
  .option('--only <stages>', `comma-separated stages out of ${names.join(', ')}`, parseStages, names)
  .option('--grep <pattern>', 'only tests whose full name matches this regular expression')
  .parse();
const options = program.opts<Options>();
const interruption = new AbortController();
let isSettingUp = false;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => interrupt(signal));

const chosen = stages.filter(({ name }) => options.only.includes(name));
const beside = new BuildBeside(chosen.slice(1).map(({ name }) => name));
const finished: StageResult[] = [];
for (const stage of chosen) {
  if (interruption.signal.aborted) break;
  finished.push(await carryOut(stage));
}
await beside.end();
conclude();

async function carryOut(stage: Stage): Promise<StageResult> {
  const start = performance.now();
  console.log(`\n▶ ${stage.name}: ${stage.title}`);
  const done = (rest: Pick<StageResult, 'results' | 'note'>): StageResult => {
    const milliseconds = performance.now() - start;
    console.log(`■ ${stage.name}: ${rest.note ?? summaryLine(count(rest.results))} (${seconds(milliseconds)})`);
    return { stage: stage.name, milliseconds, ...rest };
  };
  try {
    await setUp(stage);
    const results = await runStage(stage, { grep: options.grep, signal: interruption.signal });
    if (results === undefined) return done({ results: [], note: 'no test files yet' });
    if (results.length > 0 || interruption.signal.aborted) return done({ results });
    if (options.grep) return done({ results: [], note: 'no test matches --grep' });
    return done({ results: [failure(stage, 'No test ran although there are test files.')] });
  } catch (error) {
    console.error((error as Error).message);
    return done({ results: [failure(stage, (error as Error).message)] });
  } finally {
    await tidyUp(stage);
  }
}

async function setUp(stage: Stage): Promise<void> {
  isSettingUp = true;
  const tell: Progress = (line) => console.log(`  ${line} …`);
  try {
    await beside.tellingDuring(tell, async () => stage.build?.(tell));
    await stage.setUp?.(tell);
  } finally {
    isSettingUp = false;
  }
}

/** What cannot be taken away does not make tests fail that have passed; the next command takes it away. */
async function tidyUp(stage: Stage): Promise<void> {
  try {
    await stage.tearDown?.((line) => console.log(`  ${line} …`));
  } catch (error) {
    console.error(`Not everything could be tidied up; the next command does it: ${(error as Error).message}`);
  }
}

function failure(stage: Stage, message: string): StageResult['results'][number] {
  return { title: stage.title, outcome: 'failed', milliseconds: 0, message };
}

function parseStages(value: string): string[] {
  const chosen = value.split(',').map((name) => name.trim());
  const unknown = chosen.filter((name) => !(names as string[]).includes(name));
  if (unknown.length > 0)
    throw new InvalidArgumentError(`There is no stage ${unknown.join(', ')}. Choose from ${names.join(', ')}.`);
  return chosen;
}

function interrupt(signal: NodeJS.Signals): void {
  if (interruption.signal.aborted) return;
  interruption.abort();
  if (isSettingUp) {
    // Building Kubernetes takes minutes: nobody who pressed Ctrl-C waits for that.
    console.error(
      `\n${signal}: ended while setting up. What is half-done is recognised and repaired by the next command.`,
    );
    conclude();
    process.exit();
  }
  console.error(`\n${signal}: ending the tests and cleaning up …`);
}

function conclude(): void {
  const counts = count(finished.flatMap(({ results }) => results));
  console.log(`\n${report(finished)}\n`);
  if (interruption.signal.aborted) console.log('The tests were interrupted.');
  process.exitCode = interruption.signal.aborted ? 1 : exitCode(counts);
  console.log(summaryLine(counts));
}
