import { loadavg } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { PROBE_TIMEOUT_MS, startProber } from './prober.ts';
import { seenOutage, type Probe, type SeenOutage } from './probe.ts';
import { DEPLOYMENT, NEW_VERSION, OLD_VERSION, SELECTOR, SERVICE, type Planner } from './planner.ts';
import { splitOutage, type NamedInterval, type Split, type WorkloadMoments } from './split.ts';
import { watchWorkload } from './watch.ts';
import { ways, type WayName } from './ways.ts';
import { RUNNER_STEPS } from '../../operator/api/step-names.ts';

/** Something else than the migration was in the way: its outage says nothing. */
export class NotMeasured extends Error {
  override readonly name = 'NotMeasured';
}

/** One measured migration. Times are milliseconds, moments milliseconds since 1970. */
export interface Measurement {
  way: WayName;
  size: number;
  /** Load average of the machine over the minute before. */
  load: number;
  outage: SeenOutage;
  moments: WorkloadMoments;
  /** What the way says of itself. */
  parts: NamedInterval[];
  /** The operator's way only. */
  runnerPeakMegabytes?: number;
  /** Where the outage went; for the operator only. */
  split?: Split;
}

/** The kubelet and kube-proxy work in beats of a second: without a random start, runs lock on to them. */
const JITTER_MS = 1000;
/** The watch sees a change a little after it was made. */
const WATCH_DELAY_MS = 250;
/** Longer than a request can hang, so that none that fails comes after. */
const SETTLED_MS = 2 * PROBE_TIMEOUT_MS;

/** Migrates once on a planner that was reset, and sees what its clients saw. */
export async function measure(
  planner: Planner,
  way: WayName,
  size: number,
): Promise<{ measurement: Measurement; probes: Probe[] }> {
  const { cluster, namespace } = planner;
  const address = await planner.kubectl([
    'get',
    'service',
    SERVICE,
    '-o',
    'jsonpath={.spec.clusterIP}:{.spec.ports[0].port}',
  ]);
  const watch = watchWorkload(cluster, namespace, { name: DEPLOYMENT, selector: SELECTOR });
  const prober = startProber(cluster, namespace, `http://${address}/api/v1/status`);
  try {
    await watch.started;
    const steadySince = await prober.untilSteady(OLD_VERSION, SETTLED_MS, 60_000);
    await delay(Math.random() * JITTER_MS);
    const load = loadavg()[0]!;
    const { parts, runnerPeakMegabytes } = await ways[way](planner);
    await prober.untilSteady(NEW_VERSION, SETTLED_MS, 60_000);
    // What failed before was the prober's own beginning.
    const probes = (await prober.stop()).filter(({ start }) => start >= steadySince);
    const moments = await watch.stop();
    const outage = seenOutage(probes, NEW_VERSION);
    if (outage.start < moments.scaledDown - WATCH_DELAY_MS)
      throw new NotMeasured('a request failed before the migration began: the machine was too busy to measure');
    const split = way !== 'script' ? { split: splitOutage(outage, moments, runnerSteps(parts)) } : {};
    return { measurement: { way, size, load, outage, moments, parts, runnerPeakMegabytes, ...split }, probes };
  } finally {
    await Promise.allSettled([watch.abandon(), prober.abandon()]);
  }
}

const runnerNames = new Set<string>(RUNNER_STEPS);
const runnerSteps = (parts: NamedInterval[]) => parts.filter(({ name }) => runnerNames.has(name));
