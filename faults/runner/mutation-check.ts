import { cpus } from 'node:os';
import { join } from 'node:path';
import { idOf, type Case } from '../api/cases.ts';
import type { MutationCheckOptions, Verdict } from '../plane.ts';
import { atATime } from '../pool.ts';
import { buildRunnerProgram } from '../program.ts';
import { makeAttempt, PREFIX, type Attempt } from './attempt.ts';
import { withGround, type Ground } from './ground.ts';
import { histories, type HistoryName } from './histories.ts';
import { mutations, type Mutation } from './mutations.ts';
import { allCases, playReferences, restAfter } from './sweep.ts';

/**
 * Plants one bug after the other in a copy of the runner and plays faulted runs of it, until one does not end as it must.
 *
 * @throws Error when no planted bug or no case is meant
 */
export async function checkMutations(options: MutationCheckOptions): Promise<Verdict<Mutation>[]> {
  const { only = '', progress, signal, jobs = cpus().length * 2 } = options;
  const planted = mutations.filter(({ name }) => name.includes(only));
  if (planted.length === 0) throw new Error(`No planted bug has "${only}" in its name.`);
  return withGround({ progress, signal }, async (ground) => {
    progress('reference runs of the sound runner');
    const sound = await buildRunnerProgram(join(ground.folder, 'sound'));
    const references = await playReferences(ground, Object.keys(histories) as HistoryName[], sound);
    const verdicts: Verdict<Mutation>[] = [];
    await atATime(jobs, planted, async (mutation) => {
      verdicts.push(await checkOne(ground, mutation, references));
      const caught = verdicts.filter(({ caughtBy }) => caughtBy).length;
      progress(`${caught} caught of ${verdicts.length}; ${planted.length} planted`);
    });
    return verdicts;
  });
}

async function checkOne(
  ground: Ground,
  mutation: Mutation,
  references: Map<HistoryName, Attempt>,
): Promise<Verdict<Mutation>> {
  const folder = join(ground.folder, `planted-${mutations.indexOf(mutation)}`);
  const program = await buildRunnerProgram(folder, mutation.patches);
  const fitting = allCases(references).filter((one: Case) => mutation.shownBy.test(idOf(one)));
  if (fitting.length === 0) throw new Error(`No case fits the planted bug "${mutation.name}".`);
  const restMilliseconds = restAfter(references);
  let runs = 0;
  for (const one of fitting) {
    if (ground.signal.aborted) break;
    const reference = references.get(one.history)!.endState;
    const { problems } = await makeAttempt(ground, { ...one, program, reference, restMilliseconds });
    runs += 1;
    const [problem] = problems;
    if (problem !== undefined) return { mutation, caughtBy: { id: `${PREFIX}${idOf(one)}`, problem }, runs };
  }
  return { mutation, runs };
}
