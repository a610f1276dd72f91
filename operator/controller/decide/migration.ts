import type { PhaseMigrationStatus } from '../../api/phase-migration.ts';
import type { Reason } from '../../api/reasons.ts';
import type { PhaseMigration, PhaseMigrationRun } from '../../api/resources.ts';
import { allSteps } from './all-steps.ts';
import { nextConditions, type ConditionWishes } from './conditions.ts';
import { isHeld } from './finalizer.ts';
import { refusedRetry, requestHash, retryOf } from './request-hash.ts';
import { needsNewerOperator, newerOperatorMessage } from './protocol.ts';
import { pendingResolution } from './resolve.ts';
import { imagesBefore, newRun } from './new-run.ts';
import { currentStep, stateWords, type StateWords } from './state-words.ts';
import { warningsOf } from './warnings.ts';

export interface MigrationObservation {
  now: number;
  migration: PhaseMigration;
  /** Its runs, in any order. */
  runs: PhaseMigrationRun[];
}

/** The next writes for a PhaseMigration, in this order: finalizer, status, run. */
export interface MigrationDecision {
  finalizer?: 'Add' | 'Remove';
  status?: PhaseMigrationStatus;
  createRun?: PhaseMigrationRun;
}

/** Decides which run there should be and sums the latest one up. Pure. */
export function decideMigration(seen: MigrationObservation): MigrationDecision {
  const { migration } = seen;
  const runs = seen.runs.toSorted((one, other) => one.spec.attempt - other.spec.attempt);
  const latest = runs.at(-1);
  const held = isHeld(migration);
  const notUnderstood = runs.find((run) => !settledRun(run) && needsNewerOperator(run));
  if (notUnderstood) return { status: leftAlone(seen, notUnderstood) };
  if (migration.metadata.deletionTimestamp) return letGo(seen, runs, held);
  if (!held) return { finalizer: 'Add' };
  return answer(seen, latest);
}

/** Sums up the run that answers what is asked for, or begins one. */
function answer(seen: MigrationObservation, latest: PhaseMigrationRun | undefined): MigrationDecision {
  const { migration } = seen;
  const hash = requestHash(migration);
  // Its run answers first: a summary now would say that what was decided has led to nothing.
  if (latest && pendingResolution(migration, latest)) return withRefusedRetry(migration, latest);
  const answered = latest?.spec.requestHash === hash || latest?.status?.outcome === 'NeedsHuman';
  if (latest && (answered || !latest.status?.outcome)) return { status: summary(seen, latest) };
  if (latest && !settledRun(latest)) return { status: untilCleanedUp(seen, latest) };
  // Its run was deleted by hand, which is no request to begin another outage.
  if (migration.status?.requestHash === hash) return { status: withoutRun(seen) };
  if (migration.spec.state === 'RolledBack' && !isMigrated(seen))
    return { status: restingStatus(seen, latest, nothingToRollBack) };
  if (migration.spec.suspend) return { status: restingStatus(seen, latest, suspended) };
  return beginRun(seen, latest, hash);
}

/** A decision and a retry that are asked for at once: only the decision is carried out. */
function withRefusedRetry(migration: PhaseMigration, latest: PhaseMigrationRun): MigrationDecision {
  const refused = refusedRetry(migration, latest);
  return refused === migration.status?.refusedRetry ? {} : { status: { ...migration.status, refusedRetry: refused } };
}

/** What a newer version has recorded stays; only the conditions say that nobody works on it. */
function leftAlone(seen: MigrationObservation, run: PhaseMigrationRun): PhaseMigrationStatus {
  const { metadata, status } = seen.migration;
  const reason = 'NewerOperatorNeeded';
  const wishes = failed(reason, newerOperatorMessage(run));
  const conditions = nextConditions(status?.conditions, wishes, metadata.generation, seen.now);
  return { ...status, observedGeneration: metadata.generation ?? 0, conditions };
}

/** A deleted PhaseMigration goes when every run has brought its work to an end; one that needs a person keeps it. */
function letGo(seen: MigrationObservation, runs: PhaseMigrationRun[], held: boolean): MigrationDecision {
  const latest = runs.at(-1);
  const settled = runs.every((run) => settledRun(run) && run.status?.outcome !== 'NeedsHuman');
  return { finalizer: held && settled ? 'Remove' : undefined, status: latest && summary(seen, latest) };
}

/** A new run may begin when the one before has its outcome and has cleaned up. */
function settledRun(run: PhaseMigrationRun): boolean {
  return run.status?.outcome !== undefined && !isHeld(run);
}

/** The last run that succeeded went up, or did before somebody deleted it. */
function isMigrated({ migration, runs }: MigrationObservation): boolean {
  const succeeded = runs
    .toSorted((one, other) => one.spec.attempt - other.spec.attempt)
    .findLast(({ status }) => status?.outcome === 'Succeeded');
  return succeeded ? succeeded.spec.direction === 'Up' : migration.status?.revision === migration.spec.migrations.to;
}

/** The phase is written before the run is made: from then on the API server refuses changes of the plan. */
function beginRun(seen: MigrationObservation, latest: PhaseMigrationRun | undefined, hash: string): MigrationDecision {
  const attempt = (latest?.spec.attempt ?? 0) + 1;
  const before = imagesBefore(seen);
  if (seen.migration.spec.state === 'RolledBack' && !before)
    return { status: restingStatus(seen, latest, oldImagesUnknown) };
  const run = newRun(seen.migration, attempt, hash, before);
  const words: StateWords = stateWords(run, {});
  const status: PhaseMigrationStatus = {
    ...base(seen, words, progressing(words)),
    runName: run.metadata.name,
    observedRetry: retryOf(seen.migration),
    revision: seen.migration.status?.revision,
  };
  const frozen = seen.migration.status?.phase === 'Preparing' && seen.migration.status.runName === run.metadata.name;
  return frozen ? { createRun: run } : { status };
}

const nothingToRollBack: StateWords = {
  phase: 'RolledBack',
  reason: 'NothingToRollBack',
  message: 'spec.state is RolledBack, and no run of this PhaseMigration has migrated: there is nothing to undo.',
};
const oldImagesUnknown: StateWords = {
  phase: 'Failed',
  reason: 'PreviousImagesUnknown',
  message:
    'spec.state is RolledBack, but no run of this PhaseMigration recorded the images that its workloads had before: nothing is begun. Name them in spec.workloads[].previousImages.',
};
const suspended: StateWords = {
  phase: 'Pending',
  reason: 'Suspended',
  message: 'spec.suspend is true: nothing is begun until it is set to false.',
};

function restingStatus(
  seen: MigrationObservation,
  latest: PhaseMigrationRun | undefined,
  words: StateWords,
): PhaseMigrationStatus {
  const before = latest ? summary(seen, latest) : { revision: seen.migration.status?.revision };
  return { ...before, ...base(seen, words, restingWishes(words)) };
}

function restingWishes({ phase, reason, message }: StateWords): ConditionWishes {
  if (phase === 'Failed') return failed(reason, message);
  const wish = { reason, message };
  const done = phase === 'RolledBack';
  return {
    Ready: { status: done ? 'True' : 'False', ...wish },
    Succeeded: { status: done ? 'True' : 'Unknown', ...wish },
  };
}

function summary(seen: MigrationObservation, run: PhaseMigrationRun): PhaseMigrationStatus {
  const status = run.status ?? {};
  const words = migrationWords(seen, run);
  const steps = allSteps(status).map(({ evidence: _evidence, ...step }) => step);
  const refused = refusedRetry(seen.migration, run);
  return {
    ...base(seen, words, wishesFor(words, run)),
    runName: run.metadata.name,
    observedRetry: seen.migration.status?.observedRetry,
    refusedRetry: refused,
    currentStep: currentStep(status),
    requestHash: run.spec.requestHash,
    revision: status.runner?.revision ?? seen.migration.status?.revision,
    outage: status.outage,
    warnings: warningsOf(seen, run, refused),
    steps,
  };
}

/** What is asked for now is not done yet: without a word of it, who waits for Ready would take the old answer for it. */
function untilCleanedUp(seen: MigrationObservation, run: PhaseMigrationRun): PhaseMigrationStatus {
  const waitingFor = run.status?.runner?.waitingFor;
  const message = `PhaseMigrationRun ${run.metadata.name} has ended and is cleaning up${waitingFor ? ` (${waitingFor})` : ''}; what is asked for now begins afterwards.`;
  const words = { phase: 'Preparing' as const, reason: 'Preparing' as const, message };
  return { ...summary(seen, run), ...base(seen, words, progressing(words)) };
}

/** What was true at the end stays; a run that was deleted before its end was undone first. */
function withoutRun(seen: MigrationObservation): PhaseMigrationStatus {
  const { status = {}, metadata } = seen.migration;
  const ended = ['Succeeded', 'Failed', 'RolledBack', 'NeedsHuman'].includes(status.phase ?? '');
  if (ended) return { ...status, observedGeneration: metadata.generation ?? 0 };
  const message = `PhaseMigrationRun ${status.runName} was deleted and undone; nothing is begun again by itself. Request a retry for that.`;
  return { ...status, ...base(seen, { phase: 'Failed', reason: 'Deleted', message }, failed('Deleted', message)) };
}

/** A failed way down leaves the database migrated: for the PhaseMigration that is a failure, not `RolledBack`. */
function migrationWords(seen: MigrationObservation, run: PhaseMigrationRun): StateWords {
  const words = stateWords(run, run.status ?? {});
  if (run.spec.direction === 'Down' && run.status?.outcome === 'RolledBack') return { ...words, phase: 'Failed' };
  const waitsSuspended =
    seen.migration.spec.suspend && words.phase === 'Preparing' && run.status?.runner?.reachedGoal === 'Prepared';
  if (waitsSuspended)
    return {
      ...words,
      reason: 'Suspended',
      message: 'Everything is prepared; spec.suspend is true, so the outage is not begun.',
    };
  return words;
}

function progressing({ reason, message }: StateWords): ConditionWishes {
  const wish = { reason, message };
  return {
    Ready: { status: 'False', ...wish },
    Succeeded: { status: 'Unknown', ...wish },
    Reconciling: { status: 'True', ...wish },
  };
}

function wishesFor(words: StateWords, run: PhaseMigrationRun): ConditionWishes {
  const { reason, message } = words;
  const outcome = run.status?.outcome;
  if (!outcome) return progressing(words);
  if (outcome === 'Succeeded') {
    return { Ready: { status: 'True', reason, message }, Succeeded: { status: 'True', reason, message } };
  }
  return failed(reason, message);
}

function failed(reason: Reason, message: string): ConditionWishes {
  return {
    Ready: { status: 'False', reason, message },
    Succeeded: { status: 'False', reason, message },
    Stalled: { status: 'True', reason, message },
  };
}

function base(seen: MigrationObservation, words: StateWords, wishes: ConditionWishes): PhaseMigrationStatus {
  const { metadata, status } = seen.migration;
  return {
    observedGeneration: metadata.generation ?? 0,
    phase: words.phase,
    refusedRetry: status?.refusedRetry,
    conditions: nextConditions(status?.conditions, wishes, metadata.generation, seen.now),
  };
}
