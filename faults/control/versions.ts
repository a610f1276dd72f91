import { setTimeout as delay } from 'node:timers/promises';
import { RUN_PROTOCOL } from '../../operator/api/names.ts';
import type { Fault } from '../api/faults.ts';
import type { OperatorProcess } from './operator-process.ts';
import type { Versions } from '../program.ts';
import type { FaultProxy } from '../api/proxy.ts';
import type { Site } from './site.ts';

/** The version that a run is begun with, and the one that is started after the fault. */
export function versionsOf(fault: Fault | undefined, { current, newer }: Versions): { first: string; then: string } {
  const kind = fault?.at === 'Call' ? fault.fault : undefined;
  return { first: kind === 'downgrade' ? newer : current, then: kind === 'upgrade' ? newer : current };
}

const LOOK_MILLISECONDS = 200;
/** Whoever has something to do about a run does it within a second. */
const IDLE_MILLISECONDS = 5000;

/** One that has ended is nobody's any more: what is asked for after it is a run of the version that is there. */
function hasStrangeRun({ seen }: Site): boolean {
  return [...seen.runs.values()].some(
    ({ metadata, spec, status }) =>
      spec.protocol > RUN_PROTOCOL && (status?.outcome === undefined || metadata.finalizers?.length),
  );
}

/**
 * After a downgrade: waits until the older version has been idle for a while, and starts the newer one in its place.
 *
 * @returns what the older one did to a run that it does not understand
 */
export async function bringNewerBack(
  { site, proxy, operator }: { site: Site; proxy: FaultProxy; operator: OperatorProcess },
  newer: string,
  signal: AbortSignal,
): Promise<string[]> {
  while (proxy.killedConnections === undefined) await delay(LOOK_MILLISECONDS, undefined, { signal });
  // What the newer one had sent before it was killed may still come after that.
  const older = proxy.killedConnections;
  const calls = () => proxy.calls.filter(({ connection }) => connection > older);
  const works = () => calls().filter((call) => call.class === 'Work');
  // The Lease of the one that was killed has to run out first.
  const leadsSince = () => calls().find((call) => call.class === 'Lease')?.at ?? Date.now();
  let isStrange = hasStrangeRun(site);
  while (Date.now() - Math.max(leadsSince(), works().at(-1)?.at ?? 0) < IDLE_MILLISECONDS) {
    if (works().length === 0) isStrange = hasStrangeRun(site);
    await delay(LOOK_MILLISECONDS, undefined, { signal });
  }
  operator.program = newer;
  await operator.kill();
  proxy.faulted();
  const did = works().filter(({ name }) => name !== 'patch-migration-status');
  return isStrange && did.length > 0
    ? [`an older version touched a run of a newer one: ${did.map(({ id }) => id).join(', ')}`]
    : [];
}
