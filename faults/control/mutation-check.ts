import { cpus } from 'node:os';
import { join } from 'node:path';
import { makeAttempt, type Attempt, type Ground } from './attempt.ts';
import { casesOf, idOf, type Case } from '../api/cases.ts';
import { withGround } from './ground.ts';
import { histories, type HistoryName } from './histories.ts';
import { mutations, type Mutation } from './mutations.ts';
import type { MutationCheckOptions, Verdict } from '../plane.ts';
import { atATime, Gate } from '../pool.ts';
import { buildOperator, buildVersions, type Versions } from '../program.ts';
import { playReferences, restAfter } from './sweep.ts';

const QUIET_MILLISECONDS = 8000;

/**
 * Plants one bug after the other in a copy of the operator and plays faulted runs of it, until one does not end as the
 * reference run of the sound operator did. A bug that no run shows says that the sweep is blind there.
 *
 * @throws Error when no planted bug or no case is meant
 */
export async function checkMutations(options: MutationCheckOptions): Promise<Verdict<Mutation>[]> {
  const { only = '', progress, signal } = options;
  const planted = mutations.filter(({ name }) => name.includes(only));
  if (planted.length === 0) throw new Error(`No planted bug has "${only}" in its name.`);
  const gate = new Gate(options.jobs ?? cpus().length * 3);
  return withGround({ quietMilliseconds: QUIET_MILLISECONDS, gate, signal, progress }, async (ground) => {
    const names = Object.keys(histories) as HistoryName[];
    progress('reference runs of the sound operator');
    const versions = await buildVersions(ground.folder);
    const references = await playReferences(ground, names, versions);
    const cases = names.flatMap((name) => casesOf(name, references.get(name)!.calls));
    const verdicts: Verdict<Mutation>[] = [];
    await atATime(cpus().length * 2, planted, async (mutation) => {
      verdicts.push(await checkOne(ground, mutation, { cases, references, versions }));
      const caught = verdicts.filter(({ caughtBy }) => caughtBy).length;
      progress(`${caught} caught of ${verdicts.length}; ${planted.length} planted`);
    });
    return verdicts;
  });
}

interface Sound {
  cases: Case<HistoryName>[];
  references: Map<HistoryName, Attempt>;
  versions: Versions;
}

async function checkOne(ground: Ground, mutation: Mutation, sound: Sound): Promise<Verdict<Mutation>> {
  const { cases, references, versions } = sound;
  const number = mutations.indexOf(mutation);
  const current = await buildOperator(join(ground.folder, `planted-${number}`), mutation.patches);
  const fitting = cases.filter((one) => mutation.shownBy.test(idOf(one)));
  if (fitting.length === 0) throw new Error(`No case fits the planted bug "${mutation.name}".`);
  let runs = 0;
  for (const one of fitting) {
    if (ground.signal.aborted) break;
    const reference = references.get(one.history)!.endState;
    const { problems } = await makeAttempt(ground, {
      ...one,
      versions: { ...versions, current },
      reference,
      restMilliseconds: restAfter(references),
    });
    runs += 1;
    const [problem] = problems;
    if (problem !== undefined) return { mutation, caughtBy: { id: idOf(one), problem }, runs };
  }
  return { mutation, runs };
}
