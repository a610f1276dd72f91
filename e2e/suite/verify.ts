import { count, exitCode, report, summaryLine } from './results.ts';
import { runStage, stages } from './stages.ts';

/** `npm run verify`: generated files, types, lint, format, import borders and unit tests. Needs no service. */
const interruption = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => interruption.abort());
const start = performance.now();
const unit = stages.find(({ name }) => name === 'unit')!;
const results = (await runStage(unit, { signal: interruption.signal })) ?? [];
const counts = count(results);
console.log(`\n${report([{ stage: 'verify', results, milliseconds: performance.now() - start }])}\n`);
process.exitCode = interruption.signal.aborted ? 1 : exitCode(counts);
console.log(summaryLine(counts));
