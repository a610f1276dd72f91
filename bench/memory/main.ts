import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Progress } from '../../e2e/cluster/progress.ts';
import { openCluster, type Cluster } from '../../e2e/cluster/provider.ts';
import { withProgress } from '../../e2e/cluster/terminal.ts';
import { prepareImages } from '../../e2e/stack/images.ts';
import { plannerManifest } from '../../e2e/stack/manifest.ts';
import { installOperator, operatorNamespace } from '../../e2e/stack/operator.ts';
import { resultsFolder } from '../results.ts';
import { summarise, type Summary } from '../statistics.ts';
import { memoryOfPod, type Memory } from './process-memory.ts';

export interface MemoryOptions {
  /** Number of PhaseMigrations. */
  migrations: number;
  /** How often the leader is replaced and measured. */
  runs: number;
}

const NAMESPACE = 'bench-memory';
const CHUNK = 100;
const LEASE = 'phasemigration-operator';

/**
 * Measures what the leader takes with many PhaseMigrations, each time in a new process that has listed, reconciled and
 * watched all of them.
 */
export async function benchMemory(options: MemoryOptions): Promise<void> {
  const cluster = await withProgress('Cluster and operator', async (progress) => {
    const cluster = await openCluster({ progress });
    const images = await prepareImages(cluster, progress, ['operator', 'runner']);
    await installOperator(cluster, { images, progress });
    return cluster;
  });
  try {
    await withProgress(`${options.migrations} PhaseMigrations`, (progress) =>
      createMigrations(cluster, options.migrations, progress),
    );
    const measured: Memory[] = [];
    for (let run = 1; run <= options.runs; run++) {
      const memory = await withProgress(`Leader ${run} of ${options.runs}`, (progress) =>
        measureNewLeader(cluster, options.migrations, progress),
      );
      console.log(`resident ${memory.residentMegabytes} MB, at most ${memory.peakMegabytes} MB`);
      measured.push(memory);
    }
    await writeReport(options, measured);
  } finally {
    await cluster.exec(['kubectl', 'delete', 'namespace', NAMESPACE, '--ignore-not-found', '--timeout=300s']);
  }
}

async function createMigrations(cluster: Cluster, count: number, progress: Progress): Promise<void> {
  await cluster.exec(['kubectl', 'create', 'namespace', NAMESPACE]);
  // Suspended: what is measured is what the operator keeps of each, not a thousand runners.
  const template = await plannerManifest({ spec: { suspend: true } });
  for (let first = 1; first <= count; first += CHUNK) {
    const items = Array.from({ length: Math.min(CHUNK, count - first + 1) }, (_, index) => ({
      ...template,
      metadata: { name: `migration-${first + index}`, namespace: NAMESPACE },
    }));
    await cluster.exec(['kubectl', 'create', '-f', '-'], {
      input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items }),
    });
    progress(`${first + items.length - 1} are made`);
  }
}

async function measureNewLeader(cluster: Cluster, count: number, progress: Progress): Promise<Memory> {
  const old = await leaderOf(cluster);
  await cluster.exec(['kubectl', '-n', operatorNamespace, 'delete', 'pod', old, '--wait=false']);
  progress('waiting for the next leader');
  const leader = await until(async () => {
    const name = await leaderOf(cluster);
    return name && name !== old ? name : undefined;
  }, 'another pod leads');
  progress('waiting until it has reconciled all');
  await until(
    async () => ((await reconciledBy(cluster, leader)) >= count ? true : undefined),
    `${leader} has reconciled`,
  );
  return memoryOfPod(leader);
}

async function leaderOf(cluster: Cluster): Promise<string> {
  const path = 'jsonpath={.spec.holderIdentity}';
  const { stdout } = await cluster.exec(['kubectl', '-n', operatorNamespace, 'get', 'lease', LEASE, '-o', path]);
  return stdout.split('_')[0] ?? '';
}

/** How many PhaseMigrations a process has reconciled, as its metrics say. */
async function reconciledBy(cluster: Cluster, pod: string): Promise<number> {
  const path = `/api/v1/namespaces/${operatorNamespace}/pods/${pod}:8080/proxy/metrics`;
  const { stdout } = await cluster.exec(['kubectl', 'get', '--raw', path], { allowFailure: true });
  const lines = stdout
    .split('\n')
    .filter((line) => /^controller_runtime_reconcile_total\{.*"phasemigration"/.test(line));
  return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

async function until<T>(ask: () => Promise<T | undefined>, what: string): Promise<T> {
  const deadline = Date.now() + 180_000;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (Date.now() > deadline) throw new Error(`Waited 180 s in vain until ${what}.`);
    await delay(500);
  }
}

async function writeReport({ migrations, runs }: MemoryOptions, measured: Memory[]): Promise<void> {
  const cell = ({ min, median, max }: Summary) => `${min} / **${median}** / ${max}`;
  const resident = summarise(measured.map(({ residentMegabytes }) => residentMegabytes));
  const peak = summarise(measured.map(({ peakMegabytes }) => peakMegabytes));
  const text = [
    `### Operator with ${migrations.toLocaleString('en-US')} PhaseMigrations (${runs} processes, MB: least / **median** / most)`,
    '',
    '| resident after reconciling all | at most |',
    '| --- | --- |',
    `| ${cell(resident)} | ${cell(peak)} |`,
    '',
  ].join('\n');
  const folder = await resultsFolder('memory');
  await writeFile(join(folder, 'measurements.json'), JSON.stringify({ migrations, measured }, null, 2));
  await writeFile(join(folder, 'report.md'), text);
  console.log(`\n${text}\nWritten to ${folder}`);
}
