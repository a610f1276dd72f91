import { setTimeout as delay } from 'node:timers/promises';
import { COMPONENT_LABEL } from '../../operator/api/names.ts';
import type { PhaseMigrationRun } from '../../operator/api/resources.ts';
import type { RunnerStepName } from '../../operator/api/step-names.ts';
import { EPOCH_LABEL } from '../../operator/controller/manifests/labels.ts';
import { isConflict, isNotFound, type KubeClient } from '../../operator/kube/client.ts';
import { silentLogger } from '../../operator/kube/logger.ts';
import { messageOf } from '../../operator/kube/message-of.ts';
import { Pod } from '../../operator/kube/resource-types.ts';
import { refOf } from '../../operator/kube/types.ts';
import { KubeRunPort } from '../../operator/runner/kube-port.ts';
import type { Call } from '../api/calls.ts';
import type { ClusterWatch, Seen } from './cluster-watch.ts';
import { Database, type ServingPod } from './database.ts';
import { hasEnded, isReady, Kubelet, POD_ADDRESS } from './kubelet.ts';
import { APPLICATION_LABEL, versionOf } from './objects.ts';
import { playRunner } from './runner.ts';

/** What a history makes of the parts that are not the operator. */
export interface Script {
  verificationPasses: boolean;
  answersNoSmokeTest?: boolean;
  /** How long a pod of the application takes to end once it was told to; as other pods when left out. */
  drainMilliseconds?: number;
  /** Told before a runner's step; may hold it back. */
  beforeStep?: (step: RunnerStepName, run: PhaseMigrationRun) => Promise<void>;
  /** Told before a verification Job's program ends. */
  beforeVerificationEnds?: () => Promise<void>;
}

export interface SiteOptions {
  client: KubeClient;
  watch: ClusterWatch;
  namespace: string;
  script: Script;
  /** Nobody waits for anything any more. */
  signal: AbortSignal;
}

/** What a pod of this site is doing, so that nothing is done twice. */
type Doing = 'Starting' | 'Running' | 'Ending' | 'Ended';

/**
 * One namespace with everything in it that is neither the API server nor its controllers nor the operator: the kubelet,
 * the runner, the verification program, the application and its database. It creates nothing that a controller
 * creates, and reaches the API server on a way of its own.
 */
export class Site {
  readonly namespace: string;
  readonly client: KubeClient;
  readonly seen: Seen;
  readonly database = new Database();
  private readonly script: Script;
  private readonly signal: AbortSignal;
  private readonly watch: ClusterWatch;
  private readonly kubelet: Kubelet;
  private readonly doing = new Map<string, Doing>();
  private readonly runners = new Map<string, AbortController>();
  private waiting: (() => void)[] = [];
  private closed = false;

  constructor({ client, watch, namespace, script, signal }: SiteOptions) {
    this.signal = signal;
    this.client = client;
    this.watch = watch;
    this.namespace = namespace;
    this.script = script;
    this.kubelet = new Kubelet(client);
    this.seen = watch.follow(namespace, () => this.onChange());
  }

  /** Resolves after the next change, or after a moment: whoever waits looks again by himself. */
  async changed(signal = this.signal): Promise<void> {
    const next = new Promise<void>((resolve) => this.waiting.push(resolve));
    await Promise.race([next, delay(500, undefined, { signal, ref: false })]);
  }

  /** Whether a smoke test is answered: by a pod that is ready. */
  applicationAnswers(): boolean {
    if (this.script.answersNoSmokeTest) return false;
    return !this.database.fenced && this.applicationPods().some((pod) => isReady(pod) && !isTerminating(pod));
  }

  applicationPods(): Pod[] {
    return [...this.seen.pods.values()].filter(({ metadata }) => metadata.labels?.app === APPLICATION_LABEL.app);
  }

  /** The operator lets the runner change the database only when every pod is gone or was told to stop. */
  async inspect({ name }: Call, body: Buffer): Promise<void> {
    if (name !== 'patch-run') return;
    const { spec } = JSON.parse(body.toString()) as { spec?: { goal?: string } };
    if (spec?.goal !== 'Migrated' && spec?.goal !== 'RolledBack') return;
    const live = await this.livePods();
    if (live.length > 0)
      this.database.breach(`goal ${spec.goal} was written while ${live.join(', ')} was not told to stop`);
  }

  close(): void {
    this.closed = true;
    this.watch.forget(this.namespace);
    for (const runner of this.runners.values()) runner.abort();
  }

  private onChange(): void {
    const waiting = this.waiting;
    this.waiting = [];
    for (const resolve of waiting) resolve();
    for (const pod of this.seen.pods.values()) void this.attend(pod);
  }

  /** What cannot be done now is done after the next change; a site that is closed is attended no more. */
  private async attend(pod: Pod): Promise<void> {
    try {
      if (!this.closed) await this.attendOne(pod);
    } catch (error) {
      // The pod has changed or gone meanwhile.
      if (this.closed || isNotFound(error) || isConflict(error)) return;
      this.database.breach(`the sweep itself could not attend pod ${pod.metadata.name}: ${messageOf(error)}`);
    }
  }

  private async attendOne(pod: Pod): Promise<void> {
    const id = pod.metadata.uid ?? '';
    const doing = this.doing.get(id);
    const component = pod.metadata.labels?.[COMPONENT_LABEL];
    if (isTerminating(pod)) {
      if (doing === 'Ending') return;
      this.doing.set(id, 'Ending');
      this.runners.get(id)?.abort();
      return this.kubelet.remove(pod, component === undefined ? this.script.drainMilliseconds : undefined);
    }
    if (component === undefined) return this.attendApplication(pod);
    if (doing !== undefined || hasEnded(pod)) return;
    this.doing.set(id, 'Starting');
    await this.kubelet.bind(pod);
    if (component === 'runner') await this.startRunner(pod);
    else await this.startVerification(pod);
  }

  /** The application comes up as soon as its database lets it in, and works on whatever schema is there. */
  private async attendApplication(pod: Pod): Promise<void> {
    const { database } = this;
    if (database.fenced) return;
    const version = versionOf(pod);
    if (version !== database.schema) {
      // What a watch knows of the pod may be older than what the database is now.
      const current = await this.client.get(Pod, refOf(pod));
      if (!current || current.metadata.uid !== pod.metadata.uid || isTerminating(current)) return;
    }
    database.serve(pod.metadata.name, version);
    const id = pod.metadata.uid ?? '';
    if (isReady(pod) || this.doing.has(id)) return;
    this.doing.set(id, 'Running');
    await this.kubelet.ready(pod);
  }

  private async startRunner(pod: Pod): Promise<void> {
    const { client, namespace, database } = this;
    const id = pod.metadata.uid ?? '';
    const runner = new AbortController();
    this.runners.set(id, runner);
    await this.kubelet.ready(pod);
    const { name, labels } = pod.metadata;
    const epoch = Number(labels?.[EPOCH_LABEL]);
    const run = pod.spec?.containers[0]?.env?.find(({ name }) => name === 'RUN_NAME')?.value ?? '';
    const exitCode = await playRunner({
      port: new KubeRunPort(client, { namespace, name: run }, { epoch, logger: silentLogger }),
      database,
      epoch,
      pod: { name, address: POD_ADDRESS },
      changed: () => this.changed(runner.signal),
      livePods: () => this.livePods(),
      servingPods: () => this.servingPods(),
      before: async (step, current) => this.script.beforeStep?.(step, current),
      signal: runner.signal,
    });
    if (runner.signal.aborted) return;
    await this.kubelet.ended(pod, exitCode);
    // What waited for the fence comes up now.
    this.onChange();
  }

  private async startVerification(pod: Pod): Promise<void> {
    await this.kubelet.initialising(pod);
    const epoch = Number(pod.metadata.labels?.[EPOCH_LABEL]);
    const isReleased = () =>
      [...this.seen.runs.values()].some(
        ({ status }) => status?.runner?.epoch === epoch && status.runner.verificationReleased && !status.outcome,
      );
    while (!isReleased()) {
      if (this.closed || !this.seen.pods.has(pod.metadata.name)) return;
      await this.changed();
    }
    await this.kubelet.ready(pod);
    await this.script.beforeVerificationEnds?.();
    await this.kubelet.ended(pod, this.script.verificationPasses ? 0 : 1);
  }

  private async livePods(): Promise<string[]> {
    const pods = await this.currentPods();
    return pods.filter((pod) => !isTerminating(pod)).map(({ metadata }) => metadata.name);
  }

  private async servingPods(): Promise<ServingPod[]> {
    return (await this.currentPods()).map((pod) => ({ name: pod.metadata.name, version: versionOf(pod) }));
  }

  /** Pods of the application that have not ended, from the API server itself. */
  private async currentPods(): Promise<Pod[]> {
    const { namespace } = this;
    const { items } = await this.client.list(Pod, { namespace, labelSelector: `app=${APPLICATION_LABEL.app}` });
    return items.filter((pod) => !hasEnded(pod));
  }
}

function isTerminating({ metadata }: Pod): boolean {
  return metadata.deletionTimestamp !== undefined;
}
