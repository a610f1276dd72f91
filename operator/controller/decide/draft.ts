import type { Goal, Outcome, PhaseMigrationRunStatus } from '../../api/phase-migration-run.ts';
import type { RunResolution } from '../../api/resolution.ts';
import type { Reason } from '../../api/reasons.ts';
import type { OperatorStepName, RunnerStepName, StepName } from '../../api/step-names.ts';
import type { OperatorStep, RunnerStep } from '../../api/step.ts';
import { cut } from './sentence.ts';
import { isoTime } from './time.ts';
import type { Action, Notice, OperatorStatus, RunDecision } from './decision.ts';
import type { RunObservation } from './observation.ts';

/** What has come true when a step has succeeded, in a sentence. */
const SUCCEEDED: Record<OperatorStepName, string> = {
  ScaleDown: 'Every pod was told to stop.',
  RollbackScaleDown: 'Every pod was told to stop.',
  ScaleUp: 'Every replica is ready.',
  SmokeTest: 'Every smoke test passed.',
  RollbackScaleUp: 'Every replica is ready, as before.',
};

/**
 * Collects one pass's decision about a run. Reading goes to what was observed (and so is recorded), writing to the
 * next status, which is written before any action of the same decision: nothing is done that is not recorded.
 */
export class Draft {
  readonly seen: RunObservation;
  readonly recorded: PhaseMigrationRunStatus;
  private readonly next: OperatorStatus;
  private readonly actions: Action[] = [];
  private readonly notices: Notice[] = [];
  private spec: NonNullable<RunDecision['spec']> = {};
  private lookAgainAfter: number | undefined;
  private finalizer: 'Add' | 'Remove' | undefined;

  constructor(seen: RunObservation) {
    this.seen = seen;
    this.recorded = seen.run.status ?? {};
    const { runner: _runner, ...operatorStatus } = this.recorded;
    this.next = structuredClone(operatorStatus);
  }

  get goal(): Goal {
    return this.seen.run.spec.goal;
  }

  get plan() {
    return this.seen.run.spec.plan;
  }

  get runner() {
    return this.recorded.runner;
  }

  /** A recorded step of the operator. */
  step(name: OperatorStepName): OperatorStep | undefined {
    return this.recorded.steps?.find((step) => step.name === name);
  }

  runnerStep(name: RunnerStepName): RunnerStep | undefined {
    return this.runner?.steps?.find((step) => step.name === name);
  }

  startStep(name: OperatorStepName, message?: string): void {
    if (this.step(name)) return;
    const said = message ? { message: cut(message) } : {};
    this.putStep({ name, state: 'Running', startTime: isoTime(this.seen.now), ...said });
  }

  endStep(name: OperatorStepName, state: 'Succeeded' | 'Failed' | 'Skipped', message: string): void {
    const before = this.step(name);
    if (before && before.state !== 'Running') return;
    const now = isoTime(this.seen.now);
    this.putStep({ name, startTime: before?.startTime ?? now, state, message: cut(message), completionTime: now });
  }

  succeedStep(name: OperatorStepName, message = SUCCEEDED[name]): void {
    this.endStep(name, 'Succeeded', message);
  }

  private putStep(step: OperatorStep): void {
    const steps = (this.next.steps ?? []).filter((other) => other.name !== step.name);
    this.next.steps = [...steps, step];
  }

  /**
   * Ends what scaled down, if that is still recorded as going on: the goal is written before the status, whose write may
   * have been refused again and again because the runner was faster.
   */
  endScalingDown(): void {
    for (const name of ['ScaleDown', 'RollbackScaleDown'] as const) if (this.step(name)) this.succeedStep(name);
  }

  record(fields: Partial<OperatorStatus>): void {
    Object.assign(this.next, fields);
    if (this.next.waitingFor !== undefined) this.next.waitingFor = cut(this.next.waitingFor, LONGEST_WAITING_FOR);
  }

  /** Records why the run is undone, in one line. The first failure stays: what follows from it explains nothing. */
  fail(step: StepName, reason: Reason, message: string): void {
    if (this.recorded.failure || this.next.failure) return;
    const line = oneLine(message);
    this.next.failure = { step, reason, message: line };
    delete this.next.waitingFor;
    for (const { name, state } of this.next.steps ?? []) {
      if (state !== 'Running') continue;
      // What was started beside the step that failed has not failed itself.
      if (name === 'ScaleUp' && step !== 'ScaleUp') this.endStep(name, 'Skipped', `Ended by the failure of ${step}.`);
      else this.endStep(name, 'Failed', line);
    }
  }

  /** Also ends what is recorded as going on: a crash may have come between the goal and the status of one decision. */
  end(outcome: Outcome): void {
    for (const step of this.next.steps ?? []) {
      if (step.state === 'Running') this.succeedStep(step.name);
    }
    this.next.outcome = outcome;
    this.next.completionTime = isoTime(this.seen.now);
  }

  aim(goal: Goal): void {
    if (goal !== this.goal) this.spec.goal = goal;
  }

  nextEpoch(): void {
    this.spec.runnerEpoch = this.seen.run.spec.runnerEpoch + 1;
  }

  /** Hands a person's decision to the next start of the runner. */
  handOver(resolution: RunResolution): void {
    this.spec.resolution = resolution;
    this.spec.runnerEpoch = resolution.runnerEpoch;
  }

  dropStep(name: OperatorStepName): void {
    this.next.steps = (this.next.steps ?? []).filter((step) => step.name !== name);
  }

  act(action: Action): void {
    this.actions.push(action);
  }

  notice(notice: Notice): void {
    this.notices.push(notice);
  }

  setFinalizer(change: 'Add' | 'Remove'): void {
    this.finalizer = change;
  }

  /** Look again after so many milliseconds; the earliest wish wins. */
  lookAgain(milliseconds: number): void {
    const wish = Math.max(0, Math.ceil(milliseconds));
    this.lookAgainAfter = Math.min(this.lookAgainAfter ?? Number.POSITIVE_INFINITY, wish);
  }

  /** The next status as it stands; for what is derived from it. */
  get status(): OperatorStatus {
    return this.next;
  }

  decision(): RunDecision {
    return {
      finalizer: this.finalizer,
      spec: Object.keys(this.spec).length > 0 ? this.spec : undefined,
      status: this.next,
      actions: this.actions,
      notices: this.notices,
      lookAgainAfter: this.lookAgainAfter,
    };
  }
}

const LONGEST_WAITING_FOR = 2048;

function oneLine(message: string): string {
  return cut(message.trim().replaceAll(/\s*\n\s*/g, '; '));
}
