import { setTimeout as delay } from 'node:timers/promises';
import type { Goal, RunnerStatus } from '../../operator/api/phase-migration-run.ts';
import type { PhaseMigrationRun } from '../../operator/api/resources.ts';
import type { RunnerStepName } from '../../operator/api/step-names.ts';
import type { RunnerStep } from '../../operator/api/step.ts';
import { Superseded } from '../../operator/runner/core/failure.ts';
import type { RunPort } from '../../operator/runner/port.ts';
import type { Database, ServingPod } from './database.ts';

const FORWARD: RunnerStepName[] = ['Fence', 'RestorePoint', 'Snapshot', 'Migrate', 'Verify', 'Unfence'];
const BACK: RunnerStepName[] = ['RollbackFence', 'Rollback', 'VerifyRollback', 'RollbackUnfence'];
const STEP_MILLISECONDS = 20;
const CLEAN_UP_MILLISECONDS = 1500;

export interface RunnerOptions {
  port: RunPort;
  database: Database;
  epoch: number;
  pod: { name: string; address: string };
  /** Resolves when the run may have changed. */
  changed: () => Promise<void>;
  /** Pods of the application that were not told to stop, from the API server itself. */
  livePods: () => Promise<string[]>;
  /** Pods of the application that have not ended, though they may have been told to. */
  servingPods: () => Promise<ServingPod[]>;
  /** Told before a step is begun; may hold it back. */
  before: (step: RunnerStepName, run: PhaseMigrationRun) => Promise<void>;
  /** The process is killed. */
  signal: AbortSignal;
}

/**
 * A runner without PostgreSQL: it keeps the real one's contract with the operator (goals, steps, epochs, the gate of
 * the verification Jobs, the lock) on the wire of the real one, and does to the {@link Database} what the real one would.
 * Resolves with its exit code.
 */
export async function playRunner(options: RunnerOptions): Promise<number> {
  const { port, database, epoch, pod } = options;
  try {
    const first = await port.get();
    if (first.spec.runnerEpoch > epoch) return 1;
    while (database.lockedBy !== undefined && database.lockedBy !== pod.name) await pause(options);
    database.lockedBy = pod.name;
    const status = takeUp(first.status?.runner, options);
    await port.claim(status);
    for (;;) {
      const run = await port.get();
      if (run.spec.runnerEpoch > epoch) return 1;
      if (await pursue(run, status, options)) return 0;
      await options.changed();
      options.signal.throwIfAborted();
    }
  } catch (error) {
    if (error instanceof Superseded || options.signal.aborted) return 137;
    throw error;
  } finally {
    if (database.lockedBy === pod.name) database.lockedBy = undefined;
  }
}

/** What an earlier start reported stays true; that it was warm does not. */
function takeUp(before: RunnerStatus | undefined, { epoch, pod }: RunnerOptions): RunnerStatus {
  const { reachedGoal, ...rest } = before ?? { epoch };
  const kept = reachedGoal === 'Prepared' ? {} : { reachedGoal };
  return { ...rest, ...kept, epoch, podName: pod.name, podAddress: pod.address, verificationReleased: false };
}

/** True: nothing is left to do. */
async function pursue(run: PhaseMigrationRun, status: RunnerStatus, options: RunnerOptions): Promise<boolean> {
  const { goal } = run.spec;
  const failed = status.steps?.some(({ state }) => state === 'Failed') ?? false;
  status.observedGoal = goal;
  if (goal === 'Prepared' && !failed) await advance(run, status, options, ['Preflight', 'Backup']);
  else if (goal === 'Migrated' && !failed) await advance(run, status, options, FORWARD);
  else if (goal === 'RolledBack') await advance(run, status, options, BACK);
  else if (goal === 'Finished') {
    if (options.database.fenced) options.database.breach(`${run.metadata.name} was finished behind the fence`);
    // Dropping a database takes its time, in which a run that is let go too early takes its runner with it.
    await delay(CLEAN_UP_MILLISECONDS, undefined, { signal: options.signal });
    options.database.restorePoint = false;
    await reach('Finished', status, options);
    return true;
  }
  return false;
}

async function advance(
  run: PhaseMigrationRun,
  status: RunnerStatus,
  options: RunnerOptions,
  steps: RunnerStepName[],
): Promise<void> {
  for (const name of steps) {
    if (status.steps?.some((step) => step.name === name)) continue;
    await options.before(name, run);
    await pause(options);
    const { spec } = await options.port.get();
    // A new goal ends what was aimed at.
    if (spec.goal !== run.spec.goal || spec.runnerEpoch !== options.epoch) return;
    if (name.endsWith('Unfence') && !(await workloadsStopped(run, options))) return;
    const state = await carryOut(name, run, status, options);
    if (state === undefined) return;
    const now = new Date().toISOString();
    const step: RunnerStep = { name, state, message: `${name}: ${state}.`, startTime: now, completionTime: now };
    if (state === 'Failed') step.reason = 'VerificationJobFailed';
    status.steps = [...(status.steps ?? []), step];
    await options.port.report(structuredClone(status));
    if (state === 'Failed') return;
  }
  await reach(run.spec.goal, status, options);
}

async function reach(goal: Goal, status: RunnerStatus, { port, database }: RunnerOptions): Promise<void> {
  if (status.reachedGoal === goal) return;
  status.reachedGoal = goal;
  status.revision = database.schema === 'New' ? 'b' : 'a';
  await port.report(structuredClone(status));
}

/** False: the goal changed meanwhile. */
async function workloadsStopped({ spec: { goal } }: PhaseMigrationRun, options: RunnerOptions): Promise<boolean> {
  const { database, port, epoch, changed, signal } = options;
  for (;;) {
    const { spec, status } = await port.get();
    if (spec.goal !== goal || spec.runnerEpoch !== epoch) return false;
    if (!database.fenced || status?.workloadsStopped) return true;
    await changed();
    signal.throwIfAborted();
  }
}

/** Undefined: the goal changed meanwhile. */
async function carryOut(
  name: RunnerStepName,
  run: PhaseMigrationRun,
  status: RunnerStatus,
  options: RunnerOptions,
): Promise<'Succeeded' | 'Failed' | 'Skipped' | undefined> {
  const { database } = options;
  const changed = status.databaseChanged === 'Yes';
  switch (name) {
    case 'Fence':
      database.fence(await options.livePods(), 'the fence');
      break;
    case 'RestorePoint':
      database.takeRestorePoint();
      break;
    case 'Migrate':
      database.migrate(run);
      Object.assign(status, { databaseChanged: 'Yes', clientWrites: 'Impossible' });
      break;
    case 'Verify':
      return verify(run, status, options);
    case 'Unfence':
      status.clientWrites = 'Possible';
      database.unfence(await options.servingPods());
      break;
    case 'RollbackFence':
      if (!changed) return 'Skipped';
      database.fence(await options.livePods(), 'undoing');
      break;
    case 'Rollback':
      if (!changed) return 'Skipped';
      // As the real one does: a restore point would lose what clients wrote.
      if (status.clientWrites === 'Possible') database.down(run);
      else database.putBack(run);
      break;
    case 'VerifyRollback':
      if (!changed) return 'Skipped';
      break;
    case 'RollbackUnfence':
      database.unfence(await options.servingPods());
      status.databaseChanged = 'No';
      break;
    case 'Preflight':
    case 'Backup':
    case 'Snapshot':
      break;
  }
  return 'Succeeded';
}

/** Lets the verification Jobs in and waits for what the operator records of them. */
async function verify(
  run: PhaseMigrationRun,
  status: RunnerStatus,
  options: RunnerOptions,
): Promise<'Succeeded' | 'Failed' | undefined> {
  if (run.spec.direction === 'Down' || run.spec.plan.verification.jobs.length === 0) return 'Succeeded';
  status.verificationReleased = true;
  await options.port.report(structuredClone(status));
  for (;;) {
    const { spec, status: seen } = await options.port.get();
    if (spec.goal !== 'Migrated') return undefined;
    const states = seen?.verificationJobs?.filter(({ epoch }) => epoch === options.epoch).map(({ state }) => state);
    if (states?.includes('Failed')) return 'Failed';
    if (states?.length && states.every((state) => state === 'Succeeded')) return 'Succeeded';
    await options.changed();
    options.signal.throwIfAborted();
  }
}

async function pause({ signal }: RunnerOptions): Promise<void> {
  await delay(STEP_MILLISECONDS, undefined, { signal });
}
