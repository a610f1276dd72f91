import type { RecordedWorkload } from '../../api/phase-migration-run.ts';
import type { Draft } from './draft.ts';
import { recordEndOfOutage } from './outage.ts';
import { recordStanding, recordStarting, recordStopped } from './stopped-workloads.ts';
import { isoTime, moment } from './time.ts';
import {
  bringBack,
  holdDown,
  isReady,
  newImages,
  notReadyYet,
  observed,
  setImagesWhileDown,
  startsBehindFence,
  title,
} from './workloads.ts';
import { verificationIsWaiting } from './verification-jobs.ts';

/** The way to success, one recorded stage after the other. */
export function goForward(draft: Draft): 'Stop' | undefined {
  if (draft.recorded.failure) return undefined;
  if (draft.goal === 'Prepared') prepareAndScaleDown(draft);
  else if (draft.goal === 'Migrated') {
    if (draft.runner?.reachedGoal === 'Migrated') comeBack(draft);
    else migrate(draft);
  } else if (draft.goal === 'Finished') finish(draft);
  return undefined;
}

/** A crash came between the goal and the status of one decision: what that status would have said is said now. */
function finish(draft: Draft): void {
  if (draft.step('ScaleDown')) {
    recordEndOfOutage(draft);
    endScaleUp(draft);
    if (smokeTestsOf(draft).length === 0) skipSmokeTest(draft);
  }
  draft.end('Succeeded');
}

function prepareAndScaleDown(draft: Draft): void {
  if (draft.runner?.reachedGoal === undefined) return;
  if (draft.step('ScaleDown')) {
    scaleDown(draft);
    return;
  }
  if (draft.runner.alreadyAtTarget) {
    draft.aim('Finished');
    draft.end('Succeeded');
    return;
  }
  if (draft.seen.migration?.spec.suspend) {
    draft.record({ waitingFor: undefined });
    return;
  }
  if (!verificationIsWaiting(draft)) return;
  if (waitForWorkloads(draft)) return;
  beginOutage(draft);
}

const WORKLOADS_POLL_MILLISECONDS = 1000;

/** Two outages of one workload would record each other's zero replicas as what was there before. */
function waitForWorkloads(draft: Draft): boolean {
  const inUse = draft.seen.workloadsInUse.map((use) => `${title(use)} is in use by PhaseMigrationRun ${use.run}`);
  const waits = inUse.length > 0;
  draft.record({ waitingFor: waits ? `${inUse.join(', ')}: the outage begins when that run has ended` : undefined });
  if (waits) draft.lookAgain(WORKLOADS_POLL_MILLISECONDS);
  return waits;
}

/** Writes ahead what every workload was, then scales: a status is written before the actions of the same decision. */
function beginOutage(draft: Draft): void {
  const workloads = draft.plan.workloads.flatMap(({ kind, name }) => {
    const found = observed(draft, { kind, name })?.found;
    if (!found) return [];
    const { uid, replicas, selector, images } = found;
    return [{ kind, name, uid, replicas, selector, images }];
  });
  draft.record({ workloads, outage: { startTime: isoTime(draft.seen.now) } });
  draft.startStep(
    'ScaleDown',
    workloads.map(({ kind, name, replicas }) => `${kind} ${name}: ${replicas} replicas`).join(', '),
  );
  holdDown(draft, false, workloads);
}

function scaleDown(draft: Draft): void {
  if (!holdDown(draft, false)) {
    recordStanding(draft, 'ScaleDown');
    return;
  }
  draft.aim('Migrated');
  endScaleDown(draft);
  recordStopped(draft);
}

function endScaleDown(draft: Draft): void {
  const pods = draft.seen.workloads.reduce((sum, { pods }) => sum + pods.filter(({ ended }) => !ended).length, 0);
  draft.succeedStep('ScaleDown', `Every pod was told to stop; ${pods} still ending.`);
}

function migrate(draft: Draft): void {
  endScaleDown(draft);
  recordStopped(draft);
  const early = startBehindFence(draft);
  const down = (draft.recorded.workloads ?? []).filter((recorded) => !early.includes(recorded));
  holdDown(draft, true, down);
  setImagesWhileDown(draft, (recorded) => newImages(draft, recorded));
}

/**
 * Starts what may boot while its role is refused. From the fence's proof on no old session is left, and no new one gets
 * in before the database is migrated or undone; undoing takes these pods down first, because ScaleUp is recorded.
 */
function startBehindFence(draft: Draft): RecordedWorkload[] {
  const early = (draft.recorded.workloads ?? []).filter((recorded) => startsBehindFence(draft, recorded));
  const fenced = draft.step('ScaleUp') ?? draft.runnerStep('Fence')?.state === 'Succeeded';
  if (early.length === 0 || !fenced) return [];
  draft.startStep('ScaleUp', `${early.map(title).join(', ')}: starting behind the fence.`);
  bringBack(draft, (recorded) => newImages(draft, recorded), early);
  return early;
}

function comeBack(draft: Draft): void {
  draft.endScalingDown();
  recordStarting(draft);
  const scaleUp = draft.step('ScaleUp');
  if (!scaleUp) draft.startStep('ScaleUp');
  else recordEndOfOutage(draft);
  if (scaleUp === undefined || scaleUp.state === 'Running') {
    bringBack(draft, (recorded) => newImages(draft, recorded));
    if (!scaleUp || !allReady(draft)) return;
    endScaleUp(draft);
  }
  smokeTest(draft);
}

function endScaleUp(draft: Draft): void {
  draft.succeedStep('ScaleUp');
}

/** Every recorded workload is ready; one that somebody deleted meanwhile cannot be waited for. */
export function allReady(draft: Draft): boolean {
  return (draft.recorded.workloads ?? []).every((recorded) => {
    const workload = observed(draft, recorded);
    return workload?.found !== undefined && isReady(workload, recorded);
  });
}

const SMOKE_TEST_INTERVAL = 250;

function smokeTestsOf(draft: Draft) {
  return draft.seen.run.spec.direction === 'Up' ? draft.plan.smokeTests : [];
}

function skipSmokeTest(draft: Draft): void {
  const { spec } = draft.seen.run;
  const isOldVersion = spec.direction === 'Down' && spec.plan.smokeTests.length > 0;
  const because = isOldVersion
    ? 'spec.smokeTests are for the new version; the old one is ready.'
    : 'No smoke tests to ask.';
  draft.endStep('SmokeTest', 'Skipped', because);
}

function smokeTest(draft: Draft): void {
  const tests = smokeTestsOf(draft);
  const step = draft.step('SmokeTest');
  if (tests.length === 0) {
    skipSmokeTest(draft);
    succeed(draft);
    return;
  }
  if (!step) {
    draft.startStep('SmokeTest');
    return;
  }
  const elapsed = draft.seen.now - (moment(step.startTime) ?? draft.seen.now);
  const open = tests.filter(({ name }) => !draft.seen.smokeTests.find((seen) => seen.name === name)?.passed);
  if (open.length === 0) {
    draft.succeedStep('SmokeTest');
    succeed(draft);
    return;
  }
  const late = open.find(({ timeoutSeconds }) => elapsed >= timeoutSeconds * 1000);
  if (!late) {
    draft.lookAgain(SMOKE_TEST_INTERVAL);
    return;
  }
  const answer = draft.seen.smokeTests.find(({ name }) => name === late.name)?.answer ?? 'no answer';
  const notReady = notReadyYet(draft);
  draft.fail(
    'SmokeTest',
    'SmokeTestFailed',
    `Smoke test "${late.name}" did not pass within ${late.timeoutSeconds} s: ${answer}${notReady ? `; ${notReady}` : ''}`,
  );
}

function succeed(draft: Draft): void {
  draft.aim('Finished');
  draft.end('Succeeded');
}
