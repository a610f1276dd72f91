import { summarise, type Summary } from '../statistics.ts';
import type { Measurement } from './measure.ts';
import type { Split } from './split.ts';
import { WAYS, type WayName } from './ways.ts';

/** Where and on what the figures were taken. */
export interface Circumstances {
  taken: string;
  commit: string;
  cores: number;
  kubernetes: string;
  postgres: string;
  probeEveryMs: number;
}

/** The figures of one number of assignments; milliseconds. */
export interface SizeReport {
  size: number;
  script: WayReport;
  /** Those of the operator's ways that were measured. */
  operators: OperatorReport[];
  /** Answers of the old version after the first of the new, all runs together. */
  oldAfterNew: number;
  load: Summary;
}

export interface WayReport {
  way: WayName;
  /** Outage that a client saw. */
  outage: Summary;
  firstNewAnswer: Summary;
  /** What the way says of its parts, in the order in which these begin. */
  parts: PartReport[];
}

export interface OperatorReport extends WayReport {
  /** Median of these outages by the median of the script's. */
  ratio: number;
  /** Where the outage went; the parts of each run add up to its outage. */
  split: Record<keyof Split, Summary>;
  runnerPeakMegabytes: Summary;
}

export interface PartReport {
  name: string;
  duration: Summary;
}

/** @throws Error when the script was not measured at all */
export function reportOf(measurements: readonly Measurement[]): SizeReport[] {
  const sizes = [...new Set(measurements.map(({ size }) => size))];
  return sizes.map((size) =>
    reportOfSize(
      size,
      measurements.filter((one) => one.size === size),
    ),
  );
}

function reportOfSize(size: number, measurements: Measurement[]): SizeReport {
  const of = (way: WayName) => measurements.filter((one) => one.way === way);
  const script = reportOfWay('script', of('script'));
  const operators = WAYS.filter((way) => way !== 'script' && of(way).length > 0);
  return {
    size,
    script,
    operators: operators.map((way) => reportOfOperator(way, of(way), script)),
    oldAfterNew: measurements.reduce((sum, one) => sum + one.outage.oldAfterFirstNewAnswer, 0),
    load: summarise(measurements.map(({ load }) => load)),
  };
}

function reportOfWay(way: WayName, measurements: Measurement[]): WayReport {
  return {
    way,
    outage: summarise(measurements.map((one) => one.outage.milliseconds)),
    firstNewAnswer: summarise(measurements.map(({ outage: seen }) => seen.firstNewAnswer - seen.start)),
    parts: partsOf(measurements),
  };
}

function reportOfOperator(way: WayName, measurements: Measurement[], script: WayReport): OperatorReport {
  const report = reportOfWay(way, measurements);
  const splits = measurements.flatMap(({ split }) => split ?? []);
  const part = (name: keyof Split) => summarise(splits.map((split) => split[name]));
  return {
    ...report,
    ratio: report.outage.median / script.outage.median,
    split: {
      drain: part('drain'),
      steps: part('steps'),
      podStart: part('podStart'),
      propagation: part('propagation'),
      stopping: part('stopping'),
      operator: part('operator'),
    },
    runnerPeakMegabytes: summarise(measurements.flatMap(({ runnerPeakMegabytes }) => runnerPeakMegabytes ?? [])),
  };
}

function partsOf(measurements: Measurement[]): PartReport[] {
  const names = [...new Set(measurements.flatMap(({ parts }) => parts.map(({ name }) => name)))];
  return names.map((name) => {
    const found = measurements.flatMap(({ parts }) => parts.filter((part) => part.name === name));
    return { name, duration: summarise(found.map(({ start, end }) => end - start)) };
  });
}

/** The report in Markdown, for people and for docs/. */
export function markdown(reports: readonly SizeReport[], circumstances: Circumstances): string {
  const { taken, commit, cores, kubernetes, postgres, probeEveryMs } = circumstances;
  const head = `Taken ${taken} at ${commit}: one-node kind cluster, Kubernetes ${kubernetes}, PostgreSQL ${postgres}, ${cores} cores. A prober inside the cluster asks the backend's Service every ${probeEveryMs} ms. Milliseconds: least / **median** / most.`;
  return [head, ...reports.map(sizeMarkdown)].join('\n\n') + '\n';
}

function sizeMarkdown({ size, script, operators, oldAfterNew, load }: SizeReport): string {
  const table = (head: string[], rows: string[][]) => [row(head), row(head.map(() => '---')), ...rows.map(row)];
  return [
    `### ${size.toLocaleString('en-US')} assignments (${script.outage.runs} runs each, load ${load.min.toFixed(1)} to ${load.max.toFixed(1)})`,
    '',
    ...table(
      ['', 'outage', 'first new answer after', 'ratio of the medians'],
      [...operators.map((one) => [...wayCells(one), `**${one.ratio.toFixed(2)}**`]), [...wayCells(script), '']],
    ),
    '',
    `Answers of the old version after one of the new: ${oldAfterNew}. The runner took at most ${operators.map(({ runnerPeakMegabytes }) => cell(runnerPeakMegabytes)).join(', ')} MB.`,
    ...(operators.length === 0
      ? []
      : [
          '',
          ...table(
            ['where the outage goes', ...operators.map(({ way }) => WAY_LABELS[way])],
            SPLIT_LABELS.map(([name, label]) => [label, ...operators.map(({ split }) => cell(split[name]))]),
          ),
        ]),
    ...[...operators, script].flatMap(({ way, parts }) => [
      '',
      ...table(
        [`parts of: ${WAY_LABELS[way]}`, ''],
        parts.map(({ name, duration }) => [name, cell(duration)]),
      ),
    ]),
  ].join('\n');
}

const wayCells = ({ way, outage, firstNewAnswer }: WayReport) => [WAY_LABELS[way], cell(outage), cell(firstNewAnswer)];

const row = (cells: string[]) => `| ${cells.join(' | ')} |`;

const WAY_LABELS: Record<WayName, string> = {
  operator: 'operator, with a restore point',
  operatorBehindFence: 'the same, the new version starting behind the fence',
  script: 'kubectl script, without a restore point',
};

const SPLIT_LABELS: [keyof Split, string][] = [
  ['drain', 'drain: told to scale down → every pod told to end'],
  ['steps', "the runner's steps: fence → lifted again"],
  ['podStart', 'pod start: told to scale up and fence lifted → first pod ready'],
  ['propagation', 'first pod ready → nothing fails any more'],
  ['stopping', 'waiting behind the fence for pods that are still ending'],
  ['operator', '**what the operator itself adds**'],
];

const cell = ({ min, median, max }: Summary) => `${Math.round(min)} / **${Math.round(median)}** / ${Math.round(max)}`;
