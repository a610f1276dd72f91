import type { Condition } from '../../api/schema-parts.ts';
import { cut } from './sentence.ts';
import { isoTime } from './time.ts';

/** As metav1.Condition has it. */
const LONGEST_MESSAGE = 32_768;

export interface ConditionWish {
  status: Condition['status'];
  reason: string;
  message: string;
}

/**
 * The conditions of kstatus: Ready always, Succeeded because the work is bounded, Reconciling and Stalled only while
 * they are true. lastTransitionTime changes only with the status (Kubernetes API conventions).
 */
export interface ConditionWishes {
  Ready: ConditionWish;
  Succeeded: ConditionWish;
  Reconciling?: ConditionWish;
  Stalled?: ConditionWish;
}

/** The next list of conditions; the same as before where nothing changed. */
export function nextConditions(
  before: Condition[] | undefined,
  wishes: ConditionWishes,
  generation: number | undefined,
  now: number,
): Condition[] {
  return Object.entries(wishes).flatMap(([type, wish]: [string, ConditionWish | undefined]) => {
    if (!wish) return [];
    const old = before?.find((condition) => condition.type === type);
    // metav1.Time has whole seconds.
    const lastTransitionTime =
      old?.status === wish.status ? old.lastTransitionTime : isoTime(now).replace(/\.\d+Z$/, 'Z');
    const message = cut(wish.message, LONGEST_MESSAGE);
    return [{ type, ...wish, message, observedGeneration: generation ?? 0, lastTransitionTime }];
  });
}
