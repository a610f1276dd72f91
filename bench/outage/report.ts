import { summarise, type Summary } from '../statistics.ts';
import type { Measurement } from './measure.ts';
import type { WayName } from './ways.ts';

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
  /** Outage that a client saw, by way. */
  outage: Record<WayName, Summary>;
  firstNewAnswer: Record<WayName, Summary>;
  /** Median of the operator's outages by the median of the script's. */
  ratio: number;
  /** What the ways say of their parts, in the order in which these begin. */
  parts: Record<WayName, PartReport[]>;
  /** Where the operator's outage went; the parts of each run add up to its outage. */
  split: Record<keyof NonNullable<Measurement['split']>, Summary>;
  /** Answers of the old version after the first of the new, all runs together. */
  oldAfterNew: number;
  load: Summary;
  runnerPeakMegabytes: Summary;
}

export interface PartReport {
  name: string;
  duration: Summary;
}

/** @throws Error when a way was not measured at all */
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
  const both = <Figure>(figure: (of: Measurement[]) => Figure) => ({
    operator: figure(of('operator')),
    script: figure(of('script')),
  });
  const outage = both((some) => summarise(some.map((one) => one.outage.milliseconds)));
  const splits = of('operator').flatMap(({ split }) => split ?? []);
  const part = (name: keyof SizeReport['split']) => summarise(splits.map((split) => split[name]));
  return {
    size,
    outage,
    firstNewAnswer: both((some) => summarise(some.map(({ outage: seen }) => seen.firstNewAnswer - seen.start))),
    ratio: outage.operator.median / outage.script.median,
    parts: both(partsOf),
    split: {
      drain: part('drain'),
      steps: part('steps'),
      podStart: part('podStart'),
      propagation: part('propagation'),
      operator: part('operator'),
    },
    oldAfterNew: measurements.reduce((sum, one) => sum + one.outage.oldAfterFirstNewAnswer, 0),
    load: summarise(measurements.map(({ load }) => load)),
    runnerPeakMegabytes: summarise(of('operator').flatMap(({ runnerPeakMegabytes }) => runnerPeakMegabytes ?? [])),
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

function sizeMarkdown(report: SizeReport): string {
  const { size, outage, firstNewAnswer, ratio, parts, split, oldAfterNew, load } = report;
  const row = (...cells: string[]) => `| ${cells.join(' | ')} |`;
  const partRows = (some: PartReport[]) => some.map(({ name, duration }) => row(name, cell(duration)));
  const splitRows = SPLIT_LABELS.map(([name, label]) => row(label, cell(split[name])));
  return [
    `### ${size.toLocaleString('en-US')} assignments (${outage.operator.runs} runs each, load ${load.min.toFixed(1)} to ${load.max.toFixed(1)})`,
    '',
    row('', 'operator, with a restore point', 'kubectl script, without'),
    row('---', '---', '---'),
    row('outage', cell(outage.operator), cell(outage.script)),
    row('first new answer after', cell(firstNewAnswer.operator), cell(firstNewAnswer.script)),
    '',
    `The operator's outage is **${ratio.toFixed(2)}** of the script's (medians). Answers of the old version after one of the new: ${oldAfterNew}. The runner took at most ${cell(report.runnerPeakMegabytes)} MB.`,
    '',
    row("where the operator's outage goes", ''),
    row('---', '---'),
    ...splitRows,
    '',
    row("the operator's steps, as the status has them", ''),
    row('---', '---'),
    ...partRows(parts.operator),
    '',
    row("the script's parts", ''),
    row('---', '---'),
    ...partRows(parts.script),
  ].join('\n');
}

const SPLIT_LABELS: [keyof SizeReport['split'], string][] = [
  ['drain', 'drain: told to scale down → every pod told to end'],
  ['steps', "the runner's steps: fence → lifted again"],
  ['podStart', 'pod start: told to scale up → first pod ready'],
  ['propagation', 'first pod ready → nothing fails any more'],
  ['operator', '**what the operator itself adds**'],
];

const cell = ({ min, median, max }: Summary) => `${Math.round(min)} / **${Math.round(median)}** / ${Math.round(max)}`;
