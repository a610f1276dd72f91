import { cpus } from 'node:os';
import { join } from 'node:path';
import { RunnerProcesses } from '../../operator/runner/testing/process.ts';
import type { MutationCheckOptions, Verdict } from '../plane.ts';
import { atATime, Gate } from '../pool.ts';
import { buildRunner } from '../program.ts';
import { makeAttempt, type Attempt } from './attempt.ts';
import { casesOf, idOf, type Case } from './cases.ts';
import { withGround, type Ground } from './ground.ts';
import { histories, type HistoryName } from './histories.ts';
import { mutations, type Mutation } from './mutations.ts';
import { playReferences, restAfter } from './sweep.ts';

interface Sound {
  cases: Case[];
  references: Map<HistoryName, Attempt>;
}

/**
 * Plants one bug after the other in a copy of the runner and plays faulted runs of it, until one breaks a promise. The
 * reference runs are those of the sound runner.
 *
 * @throws Error when no planted bug or no case is meant
 */
export async function checkMutations(options: MutationCheckOptions): Promise<Verdict<Mutation>[]> {
  const { only = '', progress, signal, jobs = cpus().length * 2 } = options;
  const planted = mutations.filter(({ name }) => name.includes(only));
  if (planted.length === 0) throw new Error(`No planted bug has "${only}" in its name.`);
  return withGround({ gate: new Gate(jobs), signal, progress }, async (ground) => {
    progress('reference runs of the sound runner');
    const sound = await playSound(ground);
    const verdicts: Verdict<Mutation>[] = [];
    await atATime(jobs, planted, async (mutation) => {
      verdicts.push(await checkOne(ground, mutation, sound));
      const caught = verdicts.filter(({ caughtBy }) => caughtBy).length;
      progress(`${caught} caught of ${verdicts.length}; ${planted.length} planted`);
    });
    return verdicts;
  });
}

async function playSound(ground: Ground): Promise<Sound> {
  const names = Object.keys(histories) as HistoryName[];
  const processes = new RunnerProcesses(await buildRunner(join(ground.folder, 'sound')));
  try {
    const references = await playReferences(ground, names, processes);
    return { references, cases: names.flatMap((name) => casesOf(name, references.get(name)!)) };
  } finally {
    await processes.end();
  }
}

async function checkOne(ground: Ground, mutation: Mutation, { cases, references }: Sound): Promise<Verdict<Mutation>> {
  const folder = join(ground.folder, `planted-${mutations.indexOf(mutation)}`);
  const program = await buildRunner(folder, mutation.patches);
  const fitting = cases.filter((one) => mutation.shownBy.test(idOf(one)));
  if (fitting.length === 0) throw new Error(`No case fits the planted bug "${mutation.name}".`);
  const processes = new RunnerProcesses(program);
  const restMilliseconds = restAfter(references);
  let runs = 0;
  try {
    for (const one of fitting) {
      if (ground.signal.aborted) break;
      const { reference } = references.get(one.history)!;
      const { problems } = await makeAttempt(ground, { ...one, processes, reference, restMilliseconds });
      runs += 1;
      const [problem] = problems;
      if (problem !== undefined) return { mutation, caughtBy: { id: idOf(one), problem }, runs };
    }
    return { mutation, runs };
  } finally {
    await processes.end();
  }
}
