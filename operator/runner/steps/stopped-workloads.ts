import type { Work } from '../work.ts';

/** Pods that end in good time need not be spoken of. */
const TELL_AFTER_MILLISECONDS = 2000;
const WAITING = 'Clients are let in again when every pod that was told to stop has ended.';
/** Runs of an earlier version may be led by an operator that does not say when pods have ended. */
const FIRST_PROTOCOL = 2;

/**
 * Waits until the operator has seen every pod end that must not meet the database as it is now: the fence has only ended
 * their sessions, and a pod that is still ending opens others as soon as it is let in.
 */
export async function workloadsStopped(work: Work): Promise<void> {
  const { reporter, spec } = work;
  const { fence } = reporter.status;
  if (!fence || fence.state === 'Lifted' || spec.protocol < FIRST_PROTOCOL) return;
  const haveStopped = () => work.latest().status?.workloadsStopped === true;
  if (haveStopped()) return;
  const telling = setTimeout(() => reporter.update({ waitingFor: WAITING }), TELL_AFTER_MILLISECONDS);
  try {
    while (!haveStopped()) await work.changed();
  } finally {
    clearTimeout(telling);
    if (reporter.status.waitingFor === WAITING) reporter.update({ waitingFor: undefined });
  }
}
