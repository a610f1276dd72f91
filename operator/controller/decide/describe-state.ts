import { nextConditions, type ConditionWishes } from './conditions.ts';
import type { Draft } from './draft.ts';
import { currentStep, stateWords, type StateWords } from './state-words.ts';

/** Derives phase, current step and conditions of a run from everything else in its next status. */
export function describeState(draft: Draft): void {
  const { run, now } = draft.seen;
  const status = { ...draft.status, runner: draft.runner };
  const words = stateWords(run, status);
  draft.record({
    phase: words.phase,
    currentStep: currentStep(status),
    observedGeneration: run.metadata.generation ?? 0,
    conditions: nextConditions(
      draft.recorded.conditions,
      runWishes(words, status.outcome),
      run.metadata.generation,
      now,
    ),
  });
}

function runWishes(words: StateWords, outcome: string | undefined): ConditionWishes {
  const { reason, message } = words;
  if (!outcome) {
    const wish = { reason, message };
    return {
      Ready: { status: 'False', ...wish },
      Succeeded: { status: 'Unknown', ...wish },
      Reconciling: { status: 'True', ...wish },
    };
  }
  const succeeded = outcome === 'Succeeded' ? 'True' : 'False';
  return {
    Ready: { status: succeeded, reason, message },
    Succeeded: { status: succeeded, reason, message },
    ...(succeeded === 'False' ? { Stalled: { status: 'True', reason, message } as const } : {}),
  };
}
