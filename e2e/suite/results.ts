/** One finished test or check. Skipped ones are written down too, so that the summary cannot hide them. */
export interface TestResult {
  title: string;
  outcome: 'passed' | 'failed' | 'skipped';
  milliseconds: number;
  /** The first lines of the failure, for the list at the end. */
  message?: string;
}

export interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

/** Results of one stage; `note` says why a stage ran nothing, where that is no failure. */
export interface StageResult {
  stage: string;
  results: TestResult[];
  milliseconds: number;
  note?: string;
}

export function count(results: TestResult[]): Counts {
  const of = (outcome: TestResult['outcome']) => results.filter((result) => result.outcome === outcome).length;
  return { passed: of('passed'), failed: of('failed'), skipped: of('skipped') };
}

/** `12 passed, 0 failed`, with `, 1 skipped` only where something was skipped. The last line of `npm test`. */
export function summaryLine({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}

/** 0 only if something passed and nothing failed: a suite that ran nothing has proved nothing. */
export function exitCode({ passed, failed }: Counts): 0 | 1 {
  return failed === 0 && passed > 0 ? 0 : 1;
}

/** What people read at the end: each stage with its counts and time, then every failure again with its message. */
export function report(stages: StageResult[]): string {
  const lines = stages.map(({ stage, results, milliseconds, note }) => {
    const counted = summaryLine(count(results));
    return `  ${stage.padEnd(10)} ${note ?? counted} (${seconds(milliseconds)})`;
  });
  const failures = stages.flatMap(({ stage, results }) =>
    results
      .filter(({ outcome }) => outcome === 'failed')
      .map(({ title, message }) => `  ✖ ${stage}: ${title}\n${indent(message ?? '')}`),
  );
  return [...lines, ...(failures.length > 0 ? ['', 'Failed:', ...failures] : [])].join('\n');
}

export function seconds(milliseconds: number): string {
  return milliseconds < 60_000
    ? `${(milliseconds / 1000).toFixed(1)} s`
    : `${Math.floor(milliseconds / 60_000)} min ${Math.round((milliseconds % 60_000) / 1000)} s`;
}

function indent(text: string): string {
  return text
    .split('\n')
    .slice(0, 20)
    .map((line) => `      ${line}`)
    .join('\n');
}
