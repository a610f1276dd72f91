import { phaseMigrationRunStatus } from '../../../api/phase-migration-run.ts';
import { FINALIZER, RUN_PROTOCOL } from '../../../api/names.ts';
import { plan, type Workload } from '../../../api/plan.ts';
import type { PhaseMigration, PhaseMigrationRun } from '../../../api/resources.ts';
import { mergePatch } from './merge-patch.ts';
import { statusPatch } from '../../apply/status-patch.ts';
import type { Action, RunDecision } from '../decision.ts';
import type { JobObservation, RunObservation, WorkloadObservation } from '../observation.ts';

export const OLD_IMAGE = 'backend:1';
export const NEW_IMAGE = 'backend:2';
export const REPLICAS = 3;

interface Pod {
  name: string;
  image: string;
  terminating: boolean;
  ready: boolean;
}

export type StartPolicy = Workload['startPolicy'];
export type Verification = 'Passes' | 'Fails' | 'Hangs';

/** What the database is, as nobody but the simulation can know. */
export interface Database {
  schema: 'Old' | 'New';
  fenced: boolean;
  /** Rows that clients wrote; a restore point put back after they could write loses them. */
  clientWroteSinceMigration: boolean;
}

/**
 * A cluster in memory with just enough behaviour to tell right from wrong: a Deployment whose pods come and go on their
 * own time, Jobs that can die, a database. Every promise that can be broken at a write is checked at that write.
 */
export class World {
  now = 1_700_000_000_000;
  readonly database: Database = { schema: 'Old', fenced: false, clientWroteSinceMigration: false };
  readonly deployment = { replicas: REPLICAS, image: OLD_IMAGE, generation: 1, observedGeneration: 1 };
  pods: Pod[] = [];
  jobs: JobObservation[] = [];
  verificationJobs: JobObservation[] = [];
  run: PhaseMigrationRun | undefined;
  migration: PhaseMigration;
  smokePasses = true;
  newVersionStarts = true;
  writes = 0;
  scaledByHand = false;
  /** Somebody has mended what made the way back fail. */
  mended = false;
  /** What the operator saw last. */
  lastSeen: RunObservation | undefined;
  private podNumber = 0;

  /** What the only verification Job does; none where left out. */
  readonly verification: Verification | undefined;

  readonly startPolicy: StartPolicy;

  constructor(direction: 'Up' | 'Down' = 'Up', verification?: Verification, startPolicy: StartPolicy = 'AfterUnfence') {
    this.verification = verification;
    this.startPolicy = startPolicy;
    if (direction === 'Down') {
      this.database.schema = 'New';
      this.deployment.image = NEW_IMAGE;
    }
    const target = direction === 'Up' ? NEW_IMAGE : OLD_IMAGE;
    const spec = {
      ...plan.parse({
        database: { urlSecretRef: { name: 'db' }, clientRoles: ['app'] },
        migrations: { image: 'm:1', from: 'a', to: 'b' },
        workloads: [{ kind: 'Deployment', name: 'backend', images: { backend: target }, startPolicy }],
        backup: { claimName: 'backups' },
        smokeTests: [{ name: 'alive', http: { service: 'backend', port: 80 }, timeoutSeconds: 5 }],
        outageDeadlineSeconds: 60,
        verification: { jobs: verification ? [{ name: 'figures', image: 'v:1', timeoutSeconds: 5 }] : [] },
      }),
      state: 'Migrated' as const,
      suspend: false,
    };
    const { state: _state, suspend: _suspend, ...frozen } = spec;
    const common = { apiVersion: 'v1', kind: 'x' };
    this.migration = {
      ...common,
      metadata: { name: 'pm', namespace: 'ns', uid: 'u', generation: 1, finalizers: [FINALIZER] },
      spec,
    };
    this.run = {
      ...common,
      metadata: {
        name: 'pm-1',
        namespace: 'ns',
        uid: 'r',
        generation: 1,
        finalizers: [FINALIZER],
        creationTimestamp: new Date(this.now).toISOString(),
      },
      spec: {
        phaseMigrationRef: { name: 'pm', uid: 'u' },
        attempt: 1,
        protocol: RUN_PROTOCOL,
        direction,
        requestHash: 'h',
        plan: frozen,
        startRevision: 'a',
        targetRevision: 'b',
        goal: 'Prepared',
        runnerEpoch: 1,
      },
    };
    while (this.pods.length < REPLICAS) this.startPod();
    for (const pod of this.pods) pod.ready = true;
  }

  observe(): RunObservation | undefined {
    if (!this.run) return undefined;
    const { deployment } = this;
    const live = this.pods.filter(({ terminating }) => !terminating);
    const workload: WorkloadObservation = {
      kind: 'Deployment',
      name: 'backend',
      found: {
        uid: 'd',
        resourceVersion: '1',
        replicas: deployment.replicas,
        upToDate: deployment.observedGeneration >= deployment.generation,
        updatedReplicas: live.filter(({ image }) => image === deployment.image).length,
        readyReplicas: live.filter(({ ready }) => ready).length,
        selector: 'app=backend',
        images: { backend: deployment.image },
      },
      pods: this.pods.map(({ name, terminating, ready, image }) => ({
        name,
        terminating,
        ready,
        ended: false,
        ...(image === NEW_IMAGE && !this.newVersionStarts
          ? { problem: { reason: 'ImagePullBackOff', message: 'no such image', restarts: 0 } }
          : {}),
      })),
    };
    const asking = this.run.status?.steps?.some(({ name, state }) => name === 'SmokeTest' && state === 'Running');
    return structuredClone({
      now: this.now,
      run: this.run,
      migration: this.migration,
      workloads: [workload],
      runnerJobs: this.jobs,
      verificationJobs: this.verificationJobs,
      workloadsInUse: [],
      unaskableSmokeTests: [],
      smokeTests: asking
        ? [{ name: 'alive', passed: this.smokePasses && live.some(({ ready }) => ready), answer: 'an answer' }]
        : [],
    });
  }

  /** Carries out the first `limit` writes of a decision: the operator may be killed between any two. */
  apply(seen: RunObservation, decision: RunDecision, limit: number): number {
    const writes = this.writesOf(seen, decision);
    for (const write of writes.slice(0, limit)) {
      write();
      this.writes += 1;
    }
    return writes.length;
  }

  private writesOf(seen: RunObservation, decision: RunDecision): (() => void)[] {
    const { run } = this;
    if (!run) return [];
    if (decision.finalizer) return [() => this.changeFinalizer(run, decision.finalizer === 'Add')];
    const writes: (() => void)[] = [];
    const { spec } = decision;
    if (spec) {
      writes.push(() => {
        const order = ['Prepared', 'Migrated', 'RolledBack', 'Finished'];
        if (spec.goal && order.indexOf(spec.goal) < order.indexOf(run.spec.goal)) throw new Error('goal went back');
        Object.assign(run.spec, spec);
      });
    }
    const patch = decision.status && statusPatch(seen.run.status, decision.status, (field) => field !== 'runner');
    if (patch) writes.push(() => this.patchStatus(run, patch));
    return [...writes, ...decision.actions.map((action) => () => this.act(action))];
  }

  private changeFinalizer(run: PhaseMigrationRun, add: boolean): void {
    run.metadata.finalizers = add ? [FINALIZER] : [];
    if (!add && run.metadata.deletionTimestamp) this.run = undefined;
  }

  private patchStatus(run: PhaseMigrationRun, patch: Record<string, unknown>): void {
    const status = mergePatch(run.status, patch);
    // As strict as the API server: it refuses a status that breaks the schema, and the run would never move on.
    run.status = phaseMigrationRunStatus.parse(structuredClone(status));
  }

  /** Carries one action out as the API server and the controllers of Kubernetes would. */
  act(action: Action): void {
    switch (action.kind) {
      case 'Scale':
        return this.scale(action.replicas);
      case 'SetImages':
        this.deployment.image = action.images.backend ?? this.deployment.image;
        this.deployment.generation += 1;
        return;
      case 'CreateRunner':
        if (!this.jobs.some(({ epoch }) => epoch === action.epoch))
          this.jobs.push({
            ...{ name: `runner-${action.epoch}`, epoch: action.epoch, deleting: false, createdAt: this.now },
            pod: runningPod(),
          });
        return;
      case 'RestoreRunnerAccess':
        return;
      case 'DeleteJob':
        this.jobs = this.jobs.filter(({ name }) => name !== action.name);
        this.verificationJobs = this.verificationJobs.filter(({ name }) => name !== action.name);
        return;
      case 'CreateVerificationJob':
        return this.createVerification(action);
    }
  }

  /** Promises 2 and 6: scaled down only once what was is recorded; scaled up only onto the schema it was made for. */
  private scale(replicas: number): void {
    const recorded = this.run?.status?.workloads?.[0];
    if (recorded?.replicas !== REPLICAS)
      throw new Error('scaled before the replicas were written ahead, or a wrong number was written');
    if (replicas > 0) {
      if (replicas !== REPLICAS) throw new Error(`scaled to ${replicas} instead of ${REPLICAS}`);
      if (this.database.fenced && this.startPolicy === 'AfterUnfence') throw new Error('scaled up behind the fence');
      if (!this.database.fenced) this.expectServed(this.deployment.image);
    }
    this.deployment.replicas = replicas;
    this.deployment.generation += 1;
  }

  /**
   * Lets clients in. Promise 2: whoever waits behind the fence must be of the version that the schema was made for, and
   * so must who was told to stop and has not yet.
   */
  unfence(): void {
    this.database.fenced = false;
    if (this.scaledByHand) return;
    for (const { image } of this.pods) this.expectServed(image);
  }

  private expectServed(image: string): void {
    const schema = image === NEW_IMAGE ? 'New' : 'Old';
    if (this.database.schema !== schema)
      throw new Error(`the ${schema} version was started on the ${this.database.schema} schema`);
  }

  private createVerification({ verification, epoch }: Extract<Action, { kind: 'CreateVerificationJob' }>): void {
    const name = `${verification}-${epoch}`;
    if (this.verificationJobs.some((job) => job.name === name)) return;
    const pod = { ...runningPod(), running: false };
    this.verificationJobs.push({ name, epoch, verification, deleting: false, pod });
  }

  /** A verification Job that was let in does one thing. */
  private verificationStep(): void {
    const { epoch, verificationReleased } = this.run?.status?.runner ?? {};
    const job = this.verificationJobs.find((other) => other.epoch === epoch);
    if (!job?.pod || !verificationReleased || job.finished) return;
    if (!job.pod.running) job.pod.running = true;
    else if (this.verification !== 'Hangs') job.finished = this.verification === 'Passes' ? 'Complete' : 'Failed';
  }

  startPod(): void {
    this.podNumber += 1;
    this.pods.push({ name: `pod-${this.podNumber}`, image: this.deployment.image, terminating: false, ready: false });
  }

  /** The Deployment controller and the kubelet do one thing. */
  clusterStep(): void {
    const { deployment } = this;
    this.verificationStep();
    if (deployment.observedGeneration < deployment.generation) {
      deployment.observedGeneration = deployment.generation;
      return;
    }
    const live = this.pods.filter(({ terminating }) => !terminating);
    const stale = live.find(({ image }) => image !== deployment.image);
    const gone = this.pods.find(({ terminating }) => terminating);
    const unready = live.find(({ ready, image }) => !ready && (image === OLD_IMAGE || this.newVersionStarts));
    if (live.length > deployment.replicas) (live.at(-1) as Pod).terminating = true;
    else if (live.length < deployment.replicas) this.startPod();
    else if (stale) stale.terminating = true;
    else if (gone) this.pods = this.pods.filter((pod) => pod !== gone);
    else if (unready) unready.ready = !this.database.fenced;
  }

  /** The application writes whenever the database lets it. */
  clientStep(): void {
    if (!this.database.fenced && this.pods.some(({ ready, terminating }) => ready && !terminating)) {
      this.database.clientWroteSinceMigration = true;
    }
  }

  /** The node of the runner is lost: its pod is told to end and never does. */
  loseRunner(): void {
    const pod = this.jobs.at(-1)?.pod;
    if (pod) pod.terminating = true;
  }

  killRunner(): void {
    const job = this.jobs.at(-1);
    if (job && !job.finished) {
      job.finished = 'Failed';
      job.finishedAt = this.now;
      job.pod = { ...runningPod(), failed: true, ended: true, exitCode: 137 };
    }
  }
}

function runningPod() {
  return {
    name: 'runner',
    terminating: false,
    ended: false,
    ready: true,
    failed: false,
    succeeded: false,
    started: true,
    running: true,
  };
}
