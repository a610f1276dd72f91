import fc from 'fast-check';
import { CALL_FAULTS, nameOf, WATCH_FAULTS, WATCHED, type CallFault, type Fault, type Watched } from './faults.ts';
import type { PassedCall } from './proxy.ts';

/** One faulted run of a history of this name. */
export interface Case<Name extends string = string> {
  history: Name;
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

export interface Faultable {
  callFaults: readonly CallFault[];
  watched: readonly Watched[];
}

const EVERYTHING: Faultable = { callFaults: CALL_FAULTS, watched: WATCHED };

/** Every call of a reference run with every fault, and every watch with every fault. */
export function casesOf<Name extends string>(
  history: Name,
  passed: PassedCall[],
  { callFaults, watched }: Faultable = EVERYTHING,
): Case<Name>[] {
  const numbered = { Work: 0, Lease: 0, Event: 0 };
  const letters = { Work: 'U', Lease: 'L', Event: 'E' };
  // Before numbering began a call's id has no number.
  const calls = passed.filter(({ id, name }) => id !== name);
  const ofCalls = calls.flatMap((call): Case<Name>[] => {
    numbered[call.class] += 1;
    const number = `${letters[call.class]}${numbered[call.class]}`;
    if (call.class !== 'Work' && numbered[call.class] > SAMPLED) return [];
    return callFaults.map((fault) => ({ history, number, fault: { at: 'Call', call: call.id, fault } }));
  });
  const ofWatches = watched.flatMap((resource) =>
    WATCH_FAULTS.map((fault): Case<Name> => ({ history, fault: { at: 'Watch', resource, fault } })),
  );
  return [...ofCalls, ...ofWatches];
}

/** So many of the cases, in an order by chance that the seed repeats. */
export function sample<One extends Case>(cases: One[], count: number, seed: number): One[] {
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
export function longForm<One extends Case>(all: One[], seed: number): One[] {
  const groups = new Map<string, One[]>();
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

export interface Choice {
  only?: string;
  long: boolean;
  every?: boolean;
  seed: number;
  /** This one everywhere. */
  fault?: string;
  /** How many the short form has. */
  shortCases: number;
}

/**
 * The cases that a sweep plays, in their order.
 *
 * @throws Error listing what can be faulted, when `only` names no case
 */
export function choose<One extends Case>(all: One[], { only, long, every, seed, fault, shortCases }: Choice): One[] {
  if (only !== undefined) {
    const found = all.filter((one) => matches(one, only));
    if (found.length === 0) {
      const calls = [...new Set(all.map((one) => `${one.number ?? ''} ${idOf(one).replace(/:.*/, '')}`.trim()))];
      throw new Error(`There is no case ${only}. What can be faulted there:\n${calls.join('\n')}`);
    }
    return found;
  }
  const wanted = fault === undefined ? all : all.filter((one) => one.fault.fault === fault);
  if (every || long || fault !== undefined) {
    const cases = long && !every ? longForm(wanted, seed) : wanted;
    // Slow ones first: nothing waits for them at the end.
    return sample(cases, cases.length, seed).sort((one, other) => Number(isSlow(other)) - Number(isSlow(one)));
  }
  return sample(
    all.filter((one) => !isSlow(one)),
    shortCases,
    seed,
  );
}
