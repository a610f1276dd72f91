import type { RunnerStatus } from '../../../api/phase-migration-run.ts';
import { RUNNER_ROLLBACK_STEPS, type RunnerStepName } from '../../../api/step-names.ts';
import type { World } from './world.ts';

const PREPARE: RunnerStepName[] = ['Preflight', 'Backup'];
const MIGRATE: RunnerStepName[] = ['Fence', 'RestorePoint', 'Snapshot', 'Migrate', 'Verify', 'Unfence'];

/** Which steps fail in this history. */
export type Failing = ReadonlySet<RunnerStepName>;

/**
 * A runner that keeps the contract: one call does one step and reports it. It is idempotent and takes up what an
 * earlier start reported. It checks the operator's side of the promises: nothing is migrated while a pod may write.
 */
export function runnerStep(world: World, failing: Failing): void {
  const { run } = world;
  if (!run) return;
  const job = world.jobs.find(({ epoch }) => epoch === run.spec.runnerEpoch);
  if (!job || job.finished) return;
  const status: RunnerStatus = { ...run.status?.runner, epoch: run.spec.runnerEpoch, observedGoal: run.spec.goal };
  status.podAddress = '10.0.0.1';
  if (status.epoch !== run.status?.runner?.epoch) {
    status.verificationReleased = false;
    // Nothing of a new start is warm.
    if (status.reachedGoal === 'Prepared') delete status.reachedGoal;
  }
  takeOverResolution(world, status);
  run.status = { ...run.status, runner: status };
  const failed = status.steps?.some(({ state }) => state === 'Failed') ?? false;
  if (run.spec.goal === 'Prepared' && !failed) advance(world, status, failing, 'Prepared');
  else if (run.spec.goal === 'Migrated' && !failed) advance(world, status, failing, 'Migrated');
  else if (run.spec.goal === 'RolledBack') rollBack(world, status, failing);
  else if (run.spec.goal === 'Finished') {
    if (world.database.fenced) world.unfence();
    status.reachedGoal = 'Finished';
    job.finished = 'Complete';
    job.pod = job.pod && { ...job.pod, succeeded: true, ended: true };
  }
}

/** What failed before a person decided is done again. */
function takeOverResolution({ run }: World, status: RunnerStatus): void {
  const { resolution } = run?.spec ?? {};
  if (!resolution || resolution.number === status.observedResolution) return;
  const isWayBack = (name: string) => (RUNNER_ROLLBACK_STEPS as readonly string[]).includes(name);
  const keeps = resolution.action === 'Retry';
  status.steps = status.steps?.filter(({ name, state }) => !isWayBack(name) || (keeps && state === 'Succeeded'));
  status.observedResolution = resolution.number;
}

/** The person says that the database is right: its own revision tells which version may be started. */
function accept(world: World, status: RunnerStatus): void {
  const { direction, startRevision, targetRevision } = world.run!.spec;
  const isTarget = (world.database.schema === 'New') === (direction === 'Up');
  status.acceptedRevision = isTarget ? targetRevision : startRevision;
  if (mustWaitForPods(world)) return;
  world.unfence();
  status.reachedGoal = 'RolledBack';
}

function mustWaitForPods({ database, run }: World): boolean {
  return database.fenced && !run?.status?.workloadsStopped;
}

function advance(world: World, status: RunnerStatus, failing: Failing, goal: 'Prepared' | 'Migrated'): void {
  const steps = goal === 'Prepared' ? PREPARE : MIGRATE;
  const next = steps.find((name) => !status.steps?.some((step) => step.name === name));
  if (!next) {
    status.reachedGoal = goal;
    return;
  }
  if (next === 'Unfence' && mustWaitForPods(world)) return;
  const judged = next === 'Verify' ? verificationOutcome(world, status) : 'Passed';
  if (judged === 'Open') return;
  const fails = failing.has(next) || judged === 'Failed';
  if (!fails) carryOut(world, status, next);
  report(status, next, fails ? 'Failed' : 'Succeeded');
}

/** Lets the verification Job in and waits for what the operator records of it. */
function verificationOutcome(world: World, status: RunnerStatus): 'Open' | 'Passed' | 'Failed' {
  if (!world.verification || world.run?.spec.direction === 'Down') return 'Passed';
  status.verificationReleased = true;
  const state = world.run?.status?.verificationJobs?.find(({ epoch }) => epoch === status.epoch)?.state;
  return state === 'Succeeded' ? 'Passed' : state === 'Failed' ? 'Failed' : 'Open';
}

function carryOut(world: World, status: RunnerStatus, step: RunnerStepName): void {
  const { database } = world;
  if (step === 'Fence' || step === 'RollbackFence') {
    const writer = world.pods.find(({ terminating }) => !terminating);
    if (writer && world.run?.status?.runner?.databaseChanged !== 'Yes')
      throw new Error(`fenced while pod ${writer.name} was neither gone nor terminating`);
    database.fenced = true;
  }
  if (step === 'Migrate') {
    if (!database.fenced) throw new Error('migrated without the fence');
    database.schema = database.schema === 'Old' ? 'New' : 'Old';
    database.clientWroteSinceMigration = false;
    status.databaseChanged = 'Yes';
    status.clientWrites = 'Impossible';
  }
  if (step === 'Unfence') {
    status.clientWrites = 'Possible';
    world.unfence();
  }
}

function hasFailedOnTheWayBack({ steps = [] }: RunnerStatus): boolean {
  return steps.some(({ name, state }) => state === 'Failed' && name.includes('Rollback'));
}

function rollBack(world: World, status: RunnerStatus, failing: Failing): void {
  if (status.reachedGoal === 'RolledBack') return;
  if (world.run?.spec.resolution?.action === 'Accept') return accept(world, status);
  if (hasFailedOnTheWayBack(status)) return;
  const changed = status.databaseChanged === 'Yes';
  const steps: RunnerStepName[] = ['RollbackFence', 'Rollback', 'VerifyRollback', 'RollbackUnfence'];
  const next = steps.find((name) => !status.steps?.some((step) => step.name === name));
  if (!next) {
    status.reachedGoal = 'RolledBack';
    return;
  }
  if (!changed && next !== 'RollbackUnfence') return report(status, next, 'Skipped');
  if (next === 'RollbackUnfence' && mustWaitForPods(world)) return;
  if (failing.has(next) && !world.mended) return report(status, next, 'Failed');
  const { database } = world;
  if (next === 'RollbackFence') {
    const writer = world.pods.find(({ terminating }) => !terminating);
    if (writer && !database.fenced) throw new Error(`undone while pod ${writer.name} was neither gone nor terminating`);
    database.fenced = true;
  }
  if (next === 'Rollback') database.schema = world.run?.spec.direction === 'Up' ? 'Old' : 'New';
  if (next === 'RollbackUnfence') {
    world.unfence();
    status.databaseChanged = 'No';
  }
  report(status, next, 'Succeeded');
}

function report(status: RunnerStatus, name: RunnerStepName, state: 'Succeeded' | 'Failed' | 'Skipped'): void {
  status.steps = [...(status.steps ?? []), { name, state, reason: state, message: `${name} ${state}` }];
}
