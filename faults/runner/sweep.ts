import { cpus } from 'node:os';
import { join } from 'node:path';
import { casesOf, choose, idOf, type Case } from '../api/cases.ts';
import type { CallFault, Watched } from '../api/faults.ts';
import type { SweepOptions } from '../plane.ts';
import { atATime } from '../pool.ts';
import { buildRunnerProgram } from '../program.ts';
import { makeAttempt, PREFIX, type Attempt } from './attempt.ts';
import { withGround, type Ground } from './ground.ts';
import { histories, type HistoryName } from './histories.ts';

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
  /** So long after the last fault a run had to be at its end. */
  restMilliseconds: number;
}

const CALL_FAULTS: readonly CallFault[] = [
  'kill-before',
  'kill-after',
  '409',
  '429',
  '500',
  '504',
  'reset',
  'lost-answer',
  'black-hole',
  'late',
  'after-end',
];
const WATCHED: readonly Watched[] = ['phasemigrationruns'];
const SHORT_CASES = 24;
const ACTIVE_PER_CPU = 3;
const REST_MILLISECONDS = 60_000;
/** On a machine with nothing else to do a whole run takes less than this. */
const USUAL_MILLISECONDS = 5000;

export function allCases(references: Map<HistoryName, Attempt>): Case<HistoryName>[] {
  return [...references].flatMap(([history, { calls }]) =>
    casesOf(history, calls, { callFaults: CALL_FAULTS, watched: WATCHED }),
  );
}

/** How long a run may take to its end: on a busy machine longer by as much as a run without a fault does. */
export function restAfter(references: Map<HistoryName, Attempt>): number {
  const slowest = Math.max(...[...references.values()].map(({ settledAfter }) => settledAfter));
  return REST_MILLISECONDS + Math.max(0, slowest - USUAL_MILLISECONDS);
}

/**
 * Plays every history once without a fault, then again and again with one between the real runner and the API server.
 *
 * @throws Error when a reference run is not what it should be, or `only` names no case
 */
export async function sweep(options: SweepOptions<FaultedRun>): Promise<SweepResult> {
  const { progress, signal, jobs = cpus().length * ACTIVE_PER_CPU } = options;
  const only = options.only?.slice(PREFIX.length);
  return withGround({ progress, signal }, async (ground) => {
    progress('building the runner');
    const program = await buildRunnerProgram(join(ground.folder, 'runner'));
    const wanted = historiesOf(only);
    progress(`reference runs: ${wanted.join(', ')}`);
    const references = await playReferences(ground, wanted, program);
    const restMilliseconds = restAfter(references);
    const cases = choose(allCases(references), { ...options, only, shortCases: SHORT_CASES });
    const runs: FaultedRun[] = [];
    progress(`0 of ${cases.length} faulted runs`);
    await atATime(jobs, cases, async (one) => {
      if (signal.aborted) return;
      const began = performance.now();
      const reference = references.get(one.history)!.endState;
      const attempt = await makeAttempt(ground, { ...one, program, reference, restMilliseconds });
      // One that was broken off says nothing.
      if (signal.aborted) return;
      const run = { case: one, id: `${PREFIX}${idOf(one)}`, attempt, milliseconds: performance.now() - began };
      runs.push(run);
      options.onResult?.(run);
      const failed = runs.filter(({ attempt: { problems } }) => problems.length > 0).length;
      progress(`${runs.length} of ${cases.length} faulted runs, ${failed} failed`);
    });
    const calls = Object.fromEntries([...references].map(([name, reference]) => [name, reference.calls.length]));
    return { calls, runs, restMilliseconds };
  });
}

function historiesOf(only: string | undefined): HistoryName[] {
  const names = Object.keys(histories) as HistoryName[];
  if (only === undefined) return names;
  const wanted = names.filter((name) => only.startsWith(`${name}/`));
  if (wanted.length === 0) throw new Error(`${PREFIX}${only} begins with none of ${PREFIX}{${names.join(',')}}/.`);
  return wanted;
}

/** Reference runs of all histories at the same time. */
export async function playReferences(
  ground: Ground,
  wanted: HistoryName[],
  program: string,
): Promise<Map<HistoryName, Attempt>> {
  const played = await Promise.all(
    wanted.map(async (history) => [history, await makeAttempt(ground, { history, program })] as const),
  );
  for (const [history, { problems, log }] of played)
    if (problems.length > 0)
      throw new Error(`The reference run of ${history} failed: ${problems.join('; ')}\n${log.slice(-10).join('\n')}`);
  return new Map(played);
}
