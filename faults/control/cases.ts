import fc from 'fast-check';
import { CALL_FAULTS, nameOf, WATCH_FAULTS, WATCHED, type Fault } from './faults.ts';
import type { Attempt } from './attempt.ts';
import type { HistoryName } from './histories.ts';

/** One faulted run. */
export interface Case {
  history: HistoryName;
  fault: Fault;
  /** Number of the call in the reference run: `U17`. */
  number?: string;
}

/** What people give `--only`: `success/patch-run-status.3:kill-after`, or by number `success/U17:kill-after`. */
export function idOf({ history, fault }: Case): string {
  return `${history}/${nameOf(fault)}`;
}

function numberOf({ number, history, fault }: Case): string | undefined {
  return fault.at === 'Call' && number ? `${history}/${number}:${fault.fault}` : undefined;
}

export function matches(one: Case, wanted: string): boolean {
  return idOf(one) === wanted || numberOf(one) === wanted;
}

/** Lease renewals and Events differ from run to run in number: of each the first few. */
const SAMPLED = 3;

/** Every call of a reference run with every fault, and every watch with every fault. */
export function casesOf(history: HistoryName, reference: Attempt): Case[] {
  const numbered = { Work: 0, Lease: 0, Event: 0 };
  const letters = { Work: 'U', Lease: 'L', Event: 'E' };
  // Before numbering began a call's id has no number.
  const calls = reference.calls.filter(({ id, name }) => id !== name);
  const ofCalls = calls.flatMap((call): Case[] => {
    numbered[call.class] += 1;
    const number = `${letters[call.class]}${numbered[call.class]}`;
    if (call.class !== 'Work' && numbered[call.class] > SAMPLED) return [];
    return CALL_FAULTS.map((fault) => ({ history, number, fault: { at: 'Call', call: call.id, fault } }));
  });
  const ofWatches = WATCHED.flatMap((resource) =>
    WATCH_FAULTS.map((fault): Case => ({ history, fault: { at: 'Watch', resource, fault } })),
  );
  return [...ofCalls, ...ofWatches];
}

/** So many of the cases, in an order by chance that the seed repeats. */
export function sample(cases: Case[], count: number, seed: number): Case[] {
  const length = Math.min(count, cases.length);
  const [drawn = []] = fc.sample(fc.shuffledSubarray(cases, { minLength: length, maxLength: length }), {
    seed,
    numRuns: 1,
  });
  return drawn;
}

/** Of the faults of one call so many are drawn for the long form: by chance, so that a few seeds come to all of them. */
const FAULTS_PER_CALL = 3;
const WATCH_FAULTS_PER_HISTORY = 6;

/** Every call of every history, each with some of the faults; of the first history all watches with all faults. */
export function longForm(all: Case[], seed: number): Case[] {
  const groups = new Map<string, Case[]>();
  for (const one of all) {
    const group = one.fault.at === 'Call' ? `${one.history}/${one.fault.call}` : `${one.history}/watches`;
    groups.set(group, [...(groups.get(group) ?? []), one]);
  }
  return [...groups].flatMap(([group, cases], index) => {
    if (group === `${all[0]?.history}/watches`) return cases;
    return sample(cases, group.endsWith('/watches') ? WATCH_FAULTS_PER_HISTORY : FAULTS_PER_CALL, seed + index);
  });
}

/** A watch that is silent for good takes minutes until the operator gives it up: not in the short form. */
export function isSlow({ fault }: Case): boolean {
  return fault.at === 'Watch' && fault.fault === 'silent';
}
