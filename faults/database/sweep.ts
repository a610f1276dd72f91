import { cpus } from 'node:os';
import { join } from 'node:path';
import { RunnerProcesses } from '../../operator/runner/testing/process.ts';
import type { SweepOptions } from '../plane.ts';
import { atATime, Gate } from '../pool.ts';
import { buildRunner } from '../program.ts';
import { makeAttempt, type Attempt } from './attempt.ts';
import { casesOf, idOf, longForm, PREFIX, sample, shortForm, type Case } from './cases.ts';
import { isSlow } from './faults.ts';
import { withGround, type Ground } from './ground.ts';
import { histories, type HistoryName } from './histories.ts';

export interface FaultedRun {
  case: Case;
  id: string;
  attempt: Attempt;
  milliseconds: number;
}

export interface SweepResult {
  /** Of each history how many statements and reports its reference run has. */
  places: Record<string, string>;
  runs: FaultedRun[];
  seed: number;
  /** So long after the end of the fault a run had to be at its end. */
  restMilliseconds: number;
}

const REST_MILLISECONDS = 60_000;
/** On a machine with nothing else to do a whole run takes less than five seconds. */
const USUAL_MILLISECONDS = 5000;

/** How long a run may take after the fault: on a busy machine longer by as much as a run without one does. */
export function restAfter(references: Map<HistoryName, Attempt>): number {
  const slowest = Math.max(...[...references.values()].map(({ settledAfter }) => settledAfter));
  return REST_MILLISECONDS + Math.max(0, slowest - USUAL_MILLISECONDS);
}

const ACTIVE_PER_CPU = 3;
const SLOW_AT_A_TIME = 8;

/**
 * Plays every history once without a fault, then again and again with one.
 *
 * @throws Error when a reference run is not what it should be, or `only` names no case
 */
export async function sweep(options: SweepOptions<FaultedRun>): Promise<SweepResult> {
  const { seed, only, progress, signal } = options;
  const jobs = options.jobs ?? cpus().length * ACTIVE_PER_CPU;
  return withGround({ gate: new Gate(jobs), signal, progress }, async (ground) => {
    progress('building the runner');
    const processes = new RunnerProcesses(await buildRunner(join(ground.folder, 'runner')));
    try {
      const wanted = historiesOf(only);
      progress(`reference runs: ${wanted.join(', ')}`);
      const references = await playReferences(ground, wanted, processes);
      const restMilliseconds = restAfter(references);
      const all = wanted.flatMap((history) => casesOf(history, references.get(history)!));
      const cases = choose(all, options);
      const runs: FaultedRun[] = [];
      const play = async (one: Case) => {
        const began = performance.now();
        const { reference } = references.get(one.history)!;
        const attempt = await unlessAborted(signal, () =>
          makeAttempt(ground, { ...one, processes, reference, restMilliseconds }),
        );
        if (!attempt) return;
        const run = { case: one, id: idOf(one), attempt, milliseconds: performance.now() - began };
        runs.push(run);
        options.onResult?.(run);
        progress(`${runs.length} of ${cases.length} faulted runs, ${runs.filter(hasFailed).length} failed`);
      };
      const [slow, quick] = [true, false].map((wish) => cases.filter(({ fault }) => isSlow(fault) === wish));
      await Promise.all([atATime(SLOW_AT_A_TIME, slow!, play), atATime(jobs, quick!, play)]);
      const places = wanted.map((history) => [history, placesIn(references.get(history)!)]);
      return { places: Object.fromEntries(places) as Record<string, string>, runs, seed, restMilliseconds };
    } finally {
      await processes.end();
    }
  });
}

/** What is given up cleans up behind itself, while the others do so, too. */
async function unlessAborted<T>(signal: AbortSignal, act: () => Promise<T>): Promise<T | undefined> {
  if (signal.aborted) return undefined;
  try {
    return await act();
  } catch (error) {
    if (signal.aborted) return undefined;
    throw error;
  }
}

/** Only runs in which the fault was met say something. */
export function hasFailed({ attempt }: FaultedRun): boolean {
  return attempt.problems.length > 0;
}

function placesIn({ statements, reports }: Attempt): string {
  const programs = statements.filter(({ isProgram }) => isProgram).length;
  return `${statements.length - programs} statements of the runner, ${programs} of its programs, ${reports} reports`;
}

function historiesOf(only: string | undefined): HistoryName[] {
  const names = Object.keys(histories) as HistoryName[];
  if (only === undefined) return names;
  const wanted = names.filter((name) => only.startsWith(`${PREFIX}${name}/`));
  if (wanted.length === 0) throw new Error(`${only} begins with none of ${PREFIX}{${names.join(',')}}/.`);
  return wanted;
}

/** Reference runs of all histories at the same time. */
export async function playReferences(
  ground: Ground,
  wanted: HistoryName[],
  processes: RunnerProcesses,
): Promise<Map<HistoryName, Attempt>> {
  const settled = await Promise.allSettled(
    wanted.map(async (history) => [history, await makeAttempt(ground, { history, processes })] as const),
  );
  // Only when all have cleaned up behind themselves.
  const played = settled.map((one) => {
    if (one.status === 'rejected') throw one.reason;
    return one.value;
  });
  for (const [history, { problems, log }] of played)
    if (problems.length > 0)
      throw new Error(`The reference run of ${history} failed: ${problems.join('; ')}\n${log.join('\n')}`);
  return new Map(played);
}

function choose(all: Case[], { only, long, every, seed, fault }: SweepOptions<FaultedRun>): Case[] {
  if (only !== undefined) {
    const found = all.filter((one) => idOf(one) === only);
    if (found.length === 0) {
      const places = [...new Set(all.map((one) => idOf(one).replace(/:[^:]*$/, '')))];
      throw new Error(`There is no case ${only}. What can be faulted there:\n${places.join('\n')}`);
    }
    return found;
  }
  const wanted = all.filter((one) => one.fault.fault === fault);
  if (fault !== undefined) return sample(wanted, wanted.length, seed);
  if (every) return sample(all, all.length, seed);
  return long ? longForm(all, seed) : shortForm(all, seed);
}
