import { appendFileSync } from 'node:fs';
import Mocha from 'mocha';
import type { TestResult } from './results.ts';

/** The part of mocha's options that reaches a reporter and is used here. */
interface ReporterOptions {
  reporterOptions?: { file?: string };
}

/** The last line of the record of a run that was not cut off. */
export const END_OF_RUN = 'end';

/**
 * Mocha's usual output for people, and next to it one JSON object a line for the suite: each result as it happens, then
 * `"end"`. Written synchronously, so that nothing is lost when the test process is killed.
 */
export default class RecordingReporter extends Mocha.reporters.Spec {
  constructor(runner: Mocha.Runner, options: ReporterOptions) {
    super(runner, options);
    const { file } = options.reporterOptions ?? {};
    if (!file) throw new Error('The recording reporter needs --reporter-option file=PATH.');
    const write = (entry: TestResult | string) => appendFileSync(file, `${JSON.stringify(entry)}\n`);
    runner.on('pass', (test) => write({ ...base(test), outcome: 'passed' }));
    runner.on('pending', (test) => write({ ...base(test), outcome: 'skipped' }));
    runner.on('fail', (test, error: Error) => write({ ...base(test), outcome: 'failed', message: describe(error) }));
    runner.once('end', () => write(END_OF_RUN));
  }
}

function base(test: Mocha.Test | Mocha.Hook): Pick<TestResult, 'title' | 'milliseconds'> {
  return { title: test.titlePath().join(' › '), milliseconds: test.duration ?? 0 };
}

function describe(error: Error): string {
  return error.message || String(error);
}
