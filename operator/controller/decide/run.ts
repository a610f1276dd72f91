import { describeState } from './describe-state.ts';
import { Draft } from './draft.ts';
import type { RunDecision } from './decision.ts';
import { isHeld } from './finalizer.ts';
import { goForward } from './forward.ts';
import { keepRunnerAlive } from './keep-runner-alive.ts';
import { noticeFailure } from './notice-failure.ts';
import type { RunObservation } from './observation.ts';
import { needsNewerOperator, newerOperatorMessage } from './protocol.ts';
import { resolve } from './resolve.ts';
import { settle } from './settle.ts';
import { trackVerification } from './verification-jobs.ts';
import { undo } from './undo.ts';

/** One rule about a run. `Stop`: what later rules would say does not matter now. */
export type Policy = (draft: Draft) => 'Stop' | undefined;

/**
 * The rules in the order in which they are asked. Each reads only what was observed and recorded, so that any pass may
 * be the first of a new process.
 */
const POLICIES: Policy[] = [
  holdWithFinalizer,
  resolve,
  settle,
  noticeFailure,
  keepRunnerAlive,
  trackVerification,
  undo,
  goForward,
];

/**
 * Decides the next writes for a run. Pure: the same observation always gives the same decision, and an observation in
 * which they are carried out already gives none.
 */
export function decideRun(seen: RunObservation): RunDecision {
  if (needsNewerOperator(seen.run)) {
    const message = newerOperatorMessage(seen.run);
    return { actions: [], notices: [{ type: 'Warning', reason: 'NewerOperatorNeeded', message }] };
  }
  const draft = new Draft(seen);
  for (const policy of POLICIES) if (policy(draft) === 'Stop') break;
  describeState(draft);
  return draft.decision();
}

/** Nothing is begun before the finalizer is there: deleting the run must not leave an application down. */
function holdWithFinalizer(draft: Draft): 'Stop' | undefined {
  const { metadata } = draft.seen.run;
  if (isHeld(draft.seen.run) || draft.recorded.outcome) return undefined;
  if (metadata.deletionTimestamp) return 'Stop';
  draft.setFinalizer('Add');
  return 'Stop';
}
