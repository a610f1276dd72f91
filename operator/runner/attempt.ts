import type { Goal } from '../api/phase-migration-run.ts';
import type { PhaseMigrationRun } from '../api/resources.ts';
import { RUNNER_FORWARD_STEPS } from '../api/step-names.ts';
import { Interrupted, StepFailure } from './core/failure.ts';
import { applicationName, databaseNames, type RunIdentity } from './core/names.ts';
import { establish } from './establish.ts';
import { GOAL_ORDER, isBlocked, isForPeople, isWaiting } from './goals.ts';
import { refuseAnotherServer } from './server-identity.ts';
import { isAtWork, keepAlive } from './heartbeat.ts';
import { HolderRow } from './holder-row.ts';
import type { RunnerOptions } from './options.ts';
import { forgetRun } from './forget-run.ts';
import { Session } from './postgres/session.ts';
import { Sessions } from './postgres/sessions.ts';
import type { Holder } from './postgres/holder.ts';
import { parseDatabaseUrl, type DatabaseAddress } from './postgres/url.ts';
import type { Reporter } from './reporter.ts';
import { carryThrough } from './steps/forward.ts';
import { prepare } from './steps/prepare.ts';
import { releaseBackups } from './steps/retention.ts';
import { finish, isStuck, isUntouched, leavesNothing, rollBack } from './steps/roll-back.ts';
import { isDone, latestStep, recordStep, stepOf, warn, type Work } from './work.ts';

/** What an attempt shares with those before and after it. */
export interface Surroundings {
  identity: RunIdentity;
  reporter: Reporter;
  latest: () => PhaseMigrationRun;
  changed: () => Promise<void>;
  towards: (goal: Goal | undefined) => void;
  /** What ended the attempts before this one again and again, in a sentence. */
  trouble: () => string | undefined;
}

/** Work on one set of sessions; ends with the first of them that is lost. */
export class Attempt {
  readonly #options: RunnerOptions;
  readonly #abort: AbortController;
  readonly #around: Surroundings;
  #sessions: Sessions | undefined;
  #work: Work | undefined;
  #holder: HolderRow | undefined;
  #stopHeartbeat: () => void = () => undefined;

  constructor(options: RunnerOptions, abort: AbortController, around: Surroundings) {
    this.#options = options;
    this.#abort = abort;
    this.#around = around;
    abort.signal.addEventListener('abort', () => this.end(), { once: true });
  }

  async run(): Promise<'Finished'> {
    const { reporter, latest } = this.#around;
    for (;;) {
      this.#abort.signal.throwIfAborted();
      const { goal } = latest().spec;
      const { reachedGoal } = reporter.status;
      if (goal === 'Finished' && reachedGoal === goal) return await this.#farewell();
      // What was prepared was prepared for these sessions.
      const mustPrepare = goal === 'Prepared' && reachedGoal === goal && !this.#work;
      if (isWaiting(latest(), reporter.status) && !mustPrepare) await this.#idle(goal);
      else await this.#pursue(goal);
    }
  }

  /**
   * Waits for a change of the run; that a person must decide is told to others, too. What has been touched is kept for
   * the run meanwhile: its lock is taken again after a loss and in a new start, or others would begin on it.
   */
  async #idle(goal: Goal): Promise<void> {
    const { towards, changed } = this.#around;
    if (this.#work || isUntouched(this.#around)) {
      this.#holder?.write();
      return changed();
    }
    // Another goal is not kept waiting by this.
    towards(goal);
    try {
      await this.#established(goal);
    } finally {
      towards(undefined);
    }
  }

  async #pursue(goal: Goal): Promise<void> {
    const { reporter, towards } = this.#around;
    reporter.update({ observedGoal: goal });
    towards(goal);
    if (GOAL_ORDER[goal] > GOAL_ORDER.Migrated) closeOpenSteps(reporter);
    try {
      await this.#reach(goal);
      // Whoever hears of it may set the next goal at once; that must not cut the sessions that it will be reached with.
      towards(undefined);
      reporter.update({ reachedGoal: goal, waitingFor: undefined });
      await reporter.flush();
    } catch (error) {
      // The step says what failed; what becomes of the run is for the operator to say.
      if (!(error instanceof StepFailure)) throw error;
      if (!isBlocked(reporter.status, goal)) recordOutsideStep(reporter, goal, error);
      reporter.update({ waitingFor: undefined });
      this.#holder?.write();
      await reporter.flush();
    } finally {
      towards(undefined);
    }
  }

  async #reach(goal: Goal): Promise<void> {
    if (goal === 'RolledBack' && isUntouched(this.#around)) return;
    if (goal === 'Finished' && leavesNothing(this.#around)) return this.#leave();
    const work = await this.#established(goal);
    switch (goal) {
      case 'Prepared':
        return prepare(work);
      case 'Migrated':
        return carryThrough(work);
      case 'RolledBack':
        return rollBack(work);
      case 'Finished':
        await finish(work);
        return isStuck(work) ? undefined : work.holder.remove();
    }
  }

  /** Nothing of the run is in the database; what it has elsewhere goes, or is kept for its time. */
  async #leave(): Promise<void> {
    const { identity: run, reporter, latest } = this.#around;
    const { spec } = latest();
    if (stepOf(reporter.status, 'Backup'))
      await releaseBackups({ folders: this.#options.folders, run, reporter, spec, signal: this.#abort.signal });
    if (this.#work) return this.#work.holder.remove();
    // An earlier start, or these sessions before they were cut, may have told others.
    if (!stepOf(reporter.status, 'Preflight')) return;
    const { maintenanceDatabase } = spec.plan.database;
    const { databaseUrl, epoch, logger } = this.#options;
    await forgetRun({ databaseUrl: databaseUrl(), maintenanceDatabase, run, epoch, logger });
  }

  async #established(goal: Goal): Promise<Work> {
    if (this.#work) return this.#work;
    try {
      this.#work = await this.#connect();
      this.#around.reporter.update({ waitingFor: this.#around.trouble() });
      return this.#work;
    } catch (error) {
      if (!(error instanceof StepFailure)) throw error;
      this.#refused(goal, error);
      throw goal === 'Prepared' ? error : new Interrupted(error.message);
    }
  }

  async #connect(): Promise<Work> {
    const { identity, reporter, latest, changed } = this.#around;
    const { spec } = latest();
    const { databaseUrl } = this.#options;
    const url = databaseUrl();
    const address = parseDatabaseUrl(url);
    const { maintenanceDatabase, clientRoles } = spec.plan.database;
    if (maintenanceDatabase === address.database)
      throw new StepFailure(
        'InvalidDatabaseURL',
        `database.maintenanceDatabase and the URL name the same database "${address.database}"; the lock must be held in another one`,
      );
    const application = applicationName(identity, this.#options.epoch);
    const sessions = new Sessions(address, application, (why) => this.#abort.abort(new Interrupted(why)));
    this.#sessions = sessions;
    const claim = { database: address.database, roles: clientRoles, holder: this.#whoIs() };
    const { maintenance, warning } = await establish({
      ...{ run: identity, epoch: this.#options.epoch, sessions, reporter, maintenanceDatabase, claim },
      signal: this.#abort.signal,
      onWaiting: (reason, message) => {
        if (message !== undefined) this.#waiting(reason, message);
        if (databaseUrl() !== url) this.#abort.abort(new Interrupted('the Secret has another URL now'));
      },
    });
    sessions.requireLock(maintenance.pid);
    if (warning) warn(reporter, warning);
    await refuseAnotherServer(maintenance, address, reporter);
    const holder = this.#tellOthers(address, maintenance, claim.holder);
    this.#stopHeartbeat = keepAlive(maintenance, {
      isAtWork: () => isAtWork(maintenance, () => Session.open(address, maintenanceDatabase, application)),
      onSilence: () => this.#abort.abort(new Interrupted('the database stopped answering')),
    });
    return {
      ...{ run: identity, spec, epoch: this.#options.epoch, reporter, sessions, maintenance, holder, latest, changed },
      names: databaseNames(address.database, identity.uid),
      folders: this.#options.folders,
      ...{ files: [], operations: [], signal: this.#abort.signal, logger: this.#options.logger },
      ...(this.#options.gate ? { gate: this.#options.gate } : {}),
    };
  }

  #whoIs(): Holder {
    const { identity } = this.#around;
    const { epoch, podName, clusterName } = this.#options;
    return {
      ...{ name: `${identity.namespace}/${identity.name}`, runUid: identity.uid, epoch },
      ...(podName ? { pod: podName } : {}),
      ...(clusterName ? { cluster: clusterName } : {}),
    };
  }

  #tellOthers(address: DatabaseAddress, maintenance: Session, holder: Holder): HolderRow {
    const { identity, reporter, latest } = this.#around;
    const application = applicationName(identity, this.#options.epoch);
    this.#holder = new HolderRow({
      ...{ database: address.database, lockPid: maintenance.pid, holder },
      open: () => Session.open(address, maintenance.database, application),
      state: () => ({
        step: latestStep(reporter.status),
        state: isForPeople(latest(), reporter.status) ? 'NeedsHuman' : 'Working',
      }),
      onProblem: (problem) => warn(reporter, problem),
      onLockLost: () => this.#abort.abort(new Interrupted('the lock is not held any more')),
    });
    return this.#holder;
  }

  #waiting(reason: 'DatabaseUnreachable' | 'WaitingForLock', message: string): void {
    const { reporter } = this.#around;
    if (reporter.status.waitingFor === message) return;
    this.#options.logger.info(message, { reason });
    reporter.update({ waitingFor: message });
    const preflight = stepOf(reporter.status, 'Preflight');
    if (isDone(reporter.status, 'Preflight')) return;
    const startTime = preflight?.startTime ?? new Date().toISOString();
    recordStep(reporter, { name: 'Preflight', state: 'Running', reason, message, startTime });
  }

  /** The server refuses the runner. Before the outage that fails the run; later people must mend it, for nobody else can. */
  #refused(goal: Goal, failure: StepFailure): void {
    const { reporter } = this.#around;
    if (goal !== 'Prepared') return this.#waiting('DatabaseUnreachable', failure.message);
    const now = new Date().toISOString();
    const { reason, message } = failure;
    recordStep(reporter, { name: 'Preflight', state: 'Failed', reason, message, startTime: now, completionTime: now });
    reporter.update({ waitingFor: undefined });
  }

  async #farewell(): Promise<'Finished'> {
    await this.#around.reporter.flush();
    return 'Finished';
  }

  /** Cuts all sessions: with the maintenance session the lock goes too. */
  end(): void {
    this.#stopHeartbeat();
    this.#holder?.end();
    this.#sessions?.destroyAll();
  }
}

/** Steps that the new goal put an end to are not under way any more. */
function closeOpenSteps(reporter: Reporter): void {
  for (const step of reporter.status.steps ?? []) {
    if (step.state !== 'Running' || !(RUNNER_FORWARD_STEPS as readonly string[]).includes(step.name)) continue;
    recordStep(reporter, {
      ...step,
      state: 'Skipped',
      message: 'Broken off: the run is undone.',
      completionTime: new Date().toISOString(),
    });
  }
}

/** What fails between steps is the failure of the one that the way began with: else nobody would hear of it. */
function recordOutsideStep(reporter: Reporter, goal: Goal, { reason, message }: StepFailure): void {
  const name = ({ Prepared: 'Preflight', Migrated: 'Fence', RolledBack: 'Rollback', Finished: undefined } as const)[
    goal
  ];
  if (!name) return;
  const now = new Date().toISOString();
  const startTime = stepOf(reporter.status, name)?.startTime ?? now;
  recordStep(reporter, { name, state: 'Failed', reason, message, startTime, completionTime: now });
}
