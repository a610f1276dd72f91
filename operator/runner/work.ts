import type { PhaseMigrationRunSpec, RunnerStatus } from '../api/phase-migration-run.ts';
import type { PhaseMigrationRun } from '../api/resources.ts';
import type { Reason } from '../api/reasons.ts';
import { RUNNER_STEPS, type RunnerStepName } from '../api/step-names.ts';
import type { RunnerStep } from '../api/step.ts';
import type { Logger } from '../kube/logger.ts';
import {
  ConnectionLost,
  Interrupted,
  NotReached,
  StepFailure,
  Superseded,
  Undecided,
  Unreachable,
} from './core/failure.ts';
import { messageOf } from '../kube/message-of.ts';
import { reportableStep, reportableWarning } from './core/reportable.ts';
import type { DatabaseNames, RunIdentity } from './core/names.ts';
import type { Migration, Operation } from './core/migrations.ts';
import { ProgramCutOff } from './postgres/client-programs.ts';
import { describeDatabaseError, sqlState, type Session } from './postgres/session.ts';
import type { Fingerprint } from './postgres/fingerprint.ts';
import type { Sessions } from './postgres/sessions.ts';
import type { Gate } from './gate.ts';
import type { HolderRow } from './holder-row.ts';
import type { Reporter } from './reporter.ts';

/** Everything that a step needs, from when the lock is held until a connection is lost or the goal changes. */
export interface Work {
  run: RunIdentity;
  spec: PhaseMigrationRunSpec;
  epoch: number;
  reporter: Reporter;
  sessions: Sessions;
  /** In the maintenance database; holds the lock, so that what it does is done by the lock's holder. */
  maintenance: Session;
  /** What others are told of this work. */
  holder: HolderRow;
  /** In the target database; open from Prepared on. */
  target?: Session;
  names: DatabaseNames;
  folders: { migrations: string; backup: string };
  /** Loaded migration files and what this run does with them. */
  files: Migration[];
  operations: Operation[];
  /** The schema as it was when everything was prepared; absent after a start in the outage. */
  schemaBefore?: Fingerprint;
  /** Aborts when the goal changes, a session is lost or the pod ends; every session is cut then. */
  signal: AbortSignal;
  /** Where verification Jobs wait; absent where nobody can wait. */
  gate?: Gate;
  logger: Logger;
  /** The run as last seen. */
  latest(): PhaseMigrationRun;
  /** Resolves when the run has changed; rejects when the work is interrupted. */
  changed(): Promise<void>;
}

export function stepOf(status: RunnerStatus, name: RunnerStepName): RunnerStep | undefined {
  return status.steps?.find((step) => step.name === name);
}

/** The step that began last. */
export function latestStep(status: RunnerStatus): RunnerStepName | undefined {
  const begun = (status.steps ?? []).filter(({ startTime }) => startTime !== undefined);
  return begun.reduce<RunnerStep | undefined>(
    (latest, step) => (latest && latest.startTime! > step.startTime! ? latest : step),
    undefined,
  )?.name;
}

export function isDone(status: RunnerStatus, name: RunnerStepName): boolean {
  const state = stepOf(status, name)?.state;
  return state === 'Succeeded' || state === 'Skipped';
}

/** Writes a step's record in the place of the earlier one of the same name; people read them in their order. */
export function recordStep(reporter: Reporter, step: RunnerStep): void {
  const others = (reporter.status.steps ?? []).filter(({ name }) => name !== step.name);
  const steps = [...others, reportableStep(step)].sort(
    (one, other) => RUNNER_STEPS.indexOf(one.name) - RUNNER_STEPS.indexOf(other.name),
  );
  reporter.update({ steps });
}

export function skipStep(reporter: Reporter, name: RunnerStepName, message: string): void {
  const now = new Date().toISOString();
  recordStep(reporter, { name, state: 'Skipped', message, startTime: now, completionTime: now });
}

export type Evidence = Record<string, string>;

/**
 * Carries a step out and records when it began and ended, what came of it and what was seen. Whatever PostgreSQL refuses
 * fails the step with PostgreSQL's own words; a lost connection, an interruption or what is not decided yet leaves it
 * Running.
 */
export async function runStep(
  work: Pick<Work, 'reporter' | 'logger' | 'signal' | 'maintenance' | 'holder'>,
  name: RunnerStepName,
  fallback: Reason,
  body: (evidence: Evidence) => Promise<string | undefined>,
): Promise<void> {
  const startTime = new Date().toISOString();
  const began = performance.now();
  const evidence: Evidence = {};
  recordStep(work.reporter, { name, state: 'Running', startTime });
  work.holder.write();
  const end = (step: Pick<RunnerStep, 'state' | 'reason' | 'message'>) => {
    evidence['milliseconds'] = String(Math.round(performance.now() - began));
    recordStep(work.reporter, { name, startTime, completionTime: new Date().toISOString(), ...step, evidence });
    work.logger.info(`${name}: ${step.state}`, { reason: step.reason, detail: step.message, ...evidence });
  };
  try {
    const message = await withPrograms(work, () => body(evidence));
    end({ state: 'Succeeded', ...(message ? { message } : {}) });
  } catch (error) {
    assertDecided(work, error);
    if (error instanceof NotReached) {
      end({ state: 'Skipped', message: error.message });
      throw error.failure;
    }
    const failure = await failureOf(work, error, fallback);
    Object.assign(evidence, failure.evidence);
    end({ state: 'Failed', reason: failure.reason, message: failure.message });
    throw failure;
  }
}

function assertDecided({ signal }: Pick<Work, 'signal'>, error: unknown): void {
  if (isTransient(error) || error instanceof Undecided) throw error;
  // What fails while everything is being cut off has no meaning of its own.
  if (signal.aborted) throw new Interrupted(messageOf(error), { cause: error });
}

/**
 * What an error says of the step that it ended.
 *
 * @throws the error itself, or another transient one, where it says nothing of it
 */
export async function failureOf(
  work: Pick<Work, 'signal' | 'maintenance'>,
  error: unknown,
  fallback: Reason,
): Promise<StepFailure> {
  assertDecided(work, error);
  // A program that failed because the server went away has told nothing of the step.
  if (!(error instanceof StepFailure) && sqlState(error) === undefined) await work.maintenance.query('SELECT 1');
  return toStepFailure(error, fallback);
}

/** So often may pg_dump or pg_restore lose its connection while ours lasts, before that fails the step. */
const MOST_CUT_OFF = 3;

/** A program that was cut off has told nothing of the step, which looks at everything anew: as after a restart. */
async function withPrograms<T>({ maintenance, logger }: Pick<Work, 'maintenance' | 'logger'>, body: () => Promise<T>) {
  for (let cutOff = 1; ; cutOff++) {
    try {
      return await body();
    } catch (error) {
      if (!(error instanceof ProgramCutOff) || cutOff === MOST_CUT_OFF) throw error;
      logger.info('A client program was cut off; it is started again.', { because: error.message });
      // Where the server itself went away that is what is to be dealt with.
      await maintenance.query('SELECT 1');
    }
  }
}

/** Nothing was decided by it: look again. */
export function isTransient(error: unknown): boolean {
  return [ConnectionLost, Unreachable, Interrupted, Superseded].some((kind) => error instanceof kind);
}

function toStepFailure(error: unknown, fallback: Reason): StepFailure {
  return error instanceof StepFailure ? error : new StepFailure(fallback, describeDatabaseError(error));
}

export function warn(reporter: Reporter, warning: string): void {
  const warnings = reporter.status.warnings ?? [];
  const told = reportableWarning(warning);
  const MAX_WARNINGS = 32;
  if (warnings.includes(told) || warnings.length >= MAX_WARNINGS) return;
  reporter.update({ warnings: [...warnings, told] });
}
