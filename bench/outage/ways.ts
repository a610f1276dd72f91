import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { COMPONENT_LABEL } from '../../operator/api/names.ts';
import type { Workload } from '../../operator/api/plan.ts';
import type { PhaseMigrationRun } from '../../operator/api/resources.ts';
import { MIGRATION_NAME, phaseMigration, scriptObjects } from './objects.ts';
import { CONTAINER, DEPLOYMENT, NEW_IMAGE, REPLICAS, SELECTOR, type Planner } from './planner.ts';
import { stepIntervals, type NamedInterval } from './split.ts';

/** A way of carrying the migration out. */
export const WAYS = ['operator', 'operatorBehindFence', 'script'] as const;
export type WayName = (typeof WAYS)[number];

/**
 * Carries the migration out.
 *
 * @returns what it says of itself; its parts in the order in which they began, with their times
 * @throws Error when it did not succeed
 */
export type Way = (planner: Planner) => Promise<Carried>;

export interface Carried {
  parts: NamedInterval[];
  /** The most memory that the runner took. */
  runnerPeakMegabytes?: number;
}

export const ways: Record<WayName, Way> = {
  operator: (planner) => byOperator(planner, 'AfterUnfence'),
  operatorBehindFence: (planner) => byOperator(planner, 'BehindFence'),
  script: byScript,
};

const deadlineMs = 300_000;

async function byOperator(planner: Planner, startPolicy: Workload['startPolicy']): Promise<Carried> {
  await planner.apply(await phaseMigration(startPolicy));
  const run = await untilEnded(planner);
  const steps = stepIntervals([...(run.status?.steps ?? []), ...(run.status?.runner?.steps ?? [])]);
  return { parts: steps.sort((a, b) => a.start - b.start), runnerPeakMegabytes: await runnerPeak(planner) };
}

/** As the runner says itself when it ends. */
async function runnerPeak(planner: Planner): Promise<number> {
  const runner = `--selector=${COMPONENT_LABEL}=runner`;
  await planner.kubectl(['wait', '--for=condition=Complete', 'job', runner, '--timeout=60s']);
  const log = await planner.kubectl(['logs', runner, '--container=runner', '--tail=-1']);
  const peak = /"peakMegabytes":"?(\d+)/.exec(log)?.[1];
  if (!peak) throw new Error('The runner did not say how much memory it took.');
  return Number(peak);
}

async function untilEnded(planner: Planner): Promise<PhaseMigrationRun> {
  const deadline = Date.now() + deadlineMs;
  for (;;) {
    const list = JSON.parse(await planner.kubectl(['get', 'phasemigrationruns', '-o', 'json'])) as {
      items: PhaseMigrationRun[];
    };
    const [run] = list.items;
    const outcome = run?.status?.outcome;
    if (run && outcome === 'Succeeded') return run;
    if (outcome || Date.now() > deadline) throw new Error(await story(planner, outcome));
    // Seldom, so that the question costs the measured outage nothing to speak of; the times come from the status.
    await delay(1000);
  }
}

async function story(planner: Planner, outcome: string | undefined): Promise<string> {
  const description = await planner.kubectl(['describe', 'phasemigration', MIGRATION_NAME]);
  return `The PhaseMigration ${outcome ? `ended as ${outcome}` : `did not end within ${deadlineMs / 1000} s`}:\n${description}`;
}

async function byScript(planner: Planner): Promise<Carried> {
  const { sql, migrate, verify } = await scriptObjects();
  await planner.apply(sql);
  const folder = await mkdtemp(join(tmpdir(), 'phase-migration-bench-'));
  try {
    const files = [join(folder, 'migrate.json'), join(folder, 'verify.json')] as const;
    await writeFile(files[0], JSON.stringify(migrate));
    await writeFile(files[1], JSON.stringify(verify));
    const script = join(import.meta.dirname, 'script.sh');
    const image = `${CONTAINER}=${NEW_IMAGE}`;
    const args = [planner.namespace, DEPLOYMENT, SELECTOR, image, String(REPLICAS), ...files];
    const { stdout } = await planner.cluster.exec(['sh', script, ...args]);
    return { parts: scriptParts(stdout) };
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Reads what the script says: each line the name of a part and when it ended, the first one when it began. */
export function scriptParts(output: string): NamedInterval[] {
  const marks = output
    .trim()
    .split('\n')
    .map((line) => line.split(' '))
    .map(([name = '', time]) => ({ name, time: Number(time) }));
  return marks.slice(1).map(({ name, time }, index) => ({ name, start: marks[index]!.time, end: time }));
}
