import { writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { run } from '../../e2e/cluster/command.ts';
import { cloneRoot } from '../../e2e/cluster/paths.ts';
import { openCluster } from '../../e2e/cluster/provider.ts';
import { withProgress } from '../../e2e/cluster/terminal.ts';
import { prepareImages } from '../../e2e/stack/images.ts';
import { installOperator } from '../../e2e/stack/operator.ts';
import { sql } from '../../e2e/stack/psql.ts';
import { resultsFolder } from '../results.ts';
import { shuffle } from '../statistics.ts';
import { measure, NotMeasured, type Measurement } from './measure.ts';
import { forwardChecks, proberObjects } from './objects.ts';
import { Planner } from './planner.ts';
import { PROBE_EVERY_MS } from './prober.ts';
import { markdown, reportOf, type Circumstances } from './report.ts';
import type { WayName } from './ways.ts';

export interface OutageOptions {
  /** Numbers of assignments. */
  sizes: number[];
  /** Runs of each way for each size. */
  runs: number;
  ways: WayName[];
  /** Leave the planner in place afterwards. */
  keep: boolean;
}

const NAMESPACE = 'planner-bench';

/** Measures the outages of all ways, alternating in random order, and writes the report. */
export async function benchOutage(options: OutageOptions): Promise<void> {
  const planner = await withProgress('Cluster, operator and planner', async (progress) => {
    const cluster = await openCluster({ progress });
    const images = await prepareImages(cluster, progress);
    if (options.ways.some((way) => way !== 'script')) await installOperator(cluster, { images, progress });
    const planner = new Planner(cluster, NAMESPACE);
    await planner.install(options.sizes, progress);
    await planner.apply(...(await proberObjects()));
    await planner.kubectl(['wait', '--for=condition=Ready', 'pod/prober', '--timeout=60s']);
    return planner;
  });
  try {
    const folder = await resultsFolder('outage');
    const measurements = await measureAll(planner, options, folder);
    await writeReport(planner, measurements, folder);
  } finally {
    if (!options.keep) await planner.cluster.exec(['kubectl', 'delete', 'namespace', NAMESPACE, '--timeout=180s']);
  }
}

async function measureAll(planner: Planner, options: OutageOptions, folder: string): Promise<Measurement[]> {
  const checks = await forwardChecks();
  const measurements: Measurement[] = [];
  for (const { round, size, way } of schedule(options)) {
    await planner.reset(size);
    const measured = await measureOrTell(planner, { round, size, way });
    if (!measured) continue;
    const { measurement, probes } = measured;
    if (!(await planner.isMigrated(size, checks))) throw new Error(`The ${way} has not migrated ${size} assignments.`);
    measurements.push(measurement);
    await writeFile(join(folder, `${round}-${size}-${way}.json`), JSON.stringify({ measurement, probes }));
    console.log(line(round, measurement));
  }
  return measurements;
}

/** What is left out is told, so that nobody takes five for four. */
async function measureOrTell(planner: Planner, { round, size, way }: { round: number; size: number; way: WayName }) {
  try {
    return await measure(planner, way, size);
  } catch (error) {
    if (!(error instanceof NotMeasured)) throw error;
    console.log(`round ${round}, ${size.toLocaleString('en-US')} assignments, ${way}: left out: ${error.message}`);
    return undefined;
  }
}

/** The ways alternate: in each round each way once for each size, in random order. */
function schedule({ runs, sizes, ways }: OutageOptions): { round: number; size: number; way: WayName }[] {
  const rounds = Array.from({ length: runs }, (_, index) => index + 1);
  return rounds.flatMap((round) => sizes.flatMap((size) => shuffle(ways).map((way) => ({ round, size, way }))));
}

function line(round: number, { way, size, outage, split, load }: Measurement): string {
  const own = split ? `, of which the operator itself ${Math.round(split.operator)} ms` : '';
  const seen = `${Math.round(outage.milliseconds)} ms${own}`;
  return `round ${round}, ${size.toLocaleString('en-US')} assignments, ${way}: ${seen} (load ${load.toFixed(1)})`;
}

async function writeReport(planner: Planner, measurements: Measurement[], folder: string): Promise<void> {
  const circumstances = await circumstancesOf(planner);
  await writeFile(join(folder, 'measurements.json'), JSON.stringify({ circumstances, measurements }, null, 2));
  const ways = new Set(measurements.map(({ way }) => way));
  // Without the script, or with it alone, there is nothing to compare; its measurements are in the file.
  if (!ways.has('script') || ways.size < 2) return console.log(`\nWritten to ${folder}`);
  const reports = reportOf(measurements);
  const text = markdown(reports, circumstances);
  await writeFile(join(folder, 'report.json'), JSON.stringify({ circumstances, reports }, null, 2));
  await writeFile(join(folder, 'report.md'), text);
  console.log(`\n${text}\nWritten to ${folder}`);
}

async function circumstancesOf({ cluster, namespace }: Planner): Promise<Circumstances> {
  const version = JSON.parse((await cluster.exec(['kubectl', 'version', '-o', 'json'])).stdout) as {
    serverVersion: { gitVersion: string };
  };
  const describe = await run(['git', '-C', cloneRoot, 'describe', '--always', '--dirty'], { allowFailure: true });
  return {
    taken: new Date().toISOString().slice(0, 16).replace('T', ' ') + ' UTC',
    commit: describe.stdout.trim() || 'an unknown commit',
    cores: availableParallelism(),
    kubernetes: version.serverVersion.gitVersion,
    postgres: await sql(cluster, namespace, 'SHOW server_version', 'postgres'),
    probeEveryMs: PROBE_EVERY_MS,
  };
}
