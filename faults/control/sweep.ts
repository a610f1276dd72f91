import { cpus } from 'node:os';
import { makeAttempt, type Attempt, type Ground } from './attempt.ts';
import { casesOf, choose, idOf, type Case } from '../api/cases.ts';
import { withGround } from './ground.ts';
import { histories, type HistoryName } from './histories.ts';
import type { SweepOptions } from '../plane.ts';
import { atATime, Gate } from '../pool.ts';
import { buildVersions, type Versions } from '../program.ts';

export interface FaultedRun {
  case: Case<HistoryName>;
  id: string;
  attempt: Attempt;
  milliseconds: number;
}

export interface SweepResult {
  /** Of each history how many calls were numbered in its reference run. */
  calls: Record<string, number>;
  runs: FaultedRun[];
  seed: number;
  /** So long after the last fault a run had to be at rest. */
  restMilliseconds: number;
}

const SHORT_CASES = 14;
const QUIET = { long: 60_000, short: 8_000 };
/** On a machine with nothing else to do a whole run takes less than ten seconds. */
const REST_MILLISECONDS = 60_000;
const USUAL_MILLISECONDS = 10_000;

/** How long a run may take to be at rest: on a busy machine longer by as much as a run without a fault does. */
export function restAfter(references: Map<HistoryName, Attempt>): number {
  const slowest = Math.max(...[...references.values()].map(({ settledAfter }) => settledAfter));
  return REST_MILLISECONDS + Math.max(0, slowest - USUAL_MILLISECONDS);
}

/** A run that is under way takes about a third of a processor; one that is quiet after its end next to nothing. */
const ACTIVE_PER_CPU = 3;
const QUIET_PER_CPU = 12;

/**
 * Plays every history once without a fault, then again and again with one: at each mutating call and each watch (`long`),
 * with each fault (`every`), or a sample of them by chance.
 *
 * @throws Error when a reference run is not what it should be, or `only` names no case
 */
export async function sweep(options: SweepOptions<FaultedRun>): Promise<SweepResult> {
  const { long, every, seed, only, progress, signal } = options;
  const form = long || every ? 'long' : 'short';
  const gate = new Gate(options.jobs ?? cpus().length * ACTIVE_PER_CPU);
  const quietMilliseconds = options.quietSeconds === undefined ? QUIET[form] : options.quietSeconds * 1000;
  return withGround({ quietMilliseconds, gate, signal, progress }, async (ground) => {
    progress('building the operator');
    const versions = await buildVersions(ground.folder);
    const wanted = historiesOf(only);
    progress(`reference runs: ${wanted.join(', ')}`);
    const references = await playReferences(ground, wanted, versions);
    const restMilliseconds = restAfter(references);
    const all = wanted.flatMap((history) => casesOf(history, references.get(history)!.calls));
    const cases = choose(all, { ...options, shortCases: SHORT_CASES });
    const runs: FaultedRun[] = [];
    progress(`0 of ${cases.length} faulted runs`);
    await atATime(cpus().length * QUIET_PER_CPU, cases, async (one) => {
      if (signal.aborted) return;
      const began = performance.now();
      const reference = references.get(one.history)!.endState;
      const attempt = await makeAttempt(ground, { ...one, versions, reference, restMilliseconds });
      const run = { case: one, id: idOf(one), attempt, milliseconds: performance.now() - began };
      runs.push(run);
      options.onResult?.(run);
      progress(`${runs.length} of ${cases.length} faulted runs, ${failed(runs)} failed`);
    });
    const calls = Object.fromEntries(
      wanted.map((history) => [
        history,
        references.get(history)!.calls.filter((call) => call.class === 'Work' && call.id !== call.name).length,
      ]),
    );
    return { calls, runs, seed, restMilliseconds };
  });
}

/** Only runs in which the fault was met say something. */
export function hasFailed({ attempt }: FaultedRun): boolean {
  return attempt.problems.length > 0;
}

function failed(runs: FaultedRun[]): number {
  return runs.filter(hasFailed).length;
}

function historiesOf(only: string | undefined): HistoryName[] {
  const names = Object.keys(histories) as HistoryName[];
  if (only === undefined) return names;
  const wanted = names.filter((name) => only.startsWith(`${name}/`));
  if (wanted.length === 0) throw new Error(`${only} begins with none of the histories ${names.join(', ')}.`);
  return wanted;
}

/** Reference runs of all histories at the same time. */
export async function playReferences(
  ground: Ground,
  wanted: HistoryName[],
  versions: Versions,
): Promise<Map<HistoryName, Attempt>> {
  const played = await Promise.all(
    wanted.map(async (history) => [history, await makeAttempt(ground, { history, versions })] as const),
  );
  for (const [history, { problems, log }] of played)
    if (problems.length > 0)
      throw new Error(`The reference run of ${history} failed: ${problems.join('; ')}\n${log.slice(-10).join('\n')}`);
  return new Map(played);
}
