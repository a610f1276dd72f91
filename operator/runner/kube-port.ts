import { RUNNER_FIELD_MANAGER, GROUP, VERSION } from '../api/names.ts';
import type { RunnerStatus } from '../api/phase-migration-run.ts';
import type { PhaseMigrationRun } from '../api/resources.ts';
import { isConflict, isInvalid, type KubeClient } from '../kube/client.ts';
import type { Logger } from '../kube/logger.ts';
import { isDeleted, startReflector } from '../kube/reflector.ts';
import type { ObjectRef, ResourceType } from '../kube/types.ts';
import { Superseded } from './core/failure.ts';
import type { RunPort } from './port.ts';

const PhaseMigrationRuns: ResourceType<PhaseMigrationRun> = {
  group: GROUP,
  version: VERSION,
  kind: 'PhaseMigrationRun',
  plural: 'phasemigrationruns',
  namespaced: true,
};

type Operation = { op: 'test' | 'add'; path: string; value: unknown };

/** The run on a real API server. Every write names the epoch that it replaces, so that an older one can replace nothing. */
export class KubeRunPort implements RunPort {
  readonly #client: KubeClient;
  readonly #ref: ObjectRef & { namespace: string };
  readonly #epoch: number;
  readonly #logger: Logger;

  constructor(client: KubeClient, ref: ObjectRef & { namespace: string }, options: { epoch: number; logger: Logger }) {
    this.#client = client;
    this.#ref = ref;
    this.#epoch = options.epoch;
    this.#logger = options.logger;
  }

  async get(): Promise<PhaseMigrationRun> {
    const run = await this.#client.get(PhaseMigrationRuns, this.#ref);
    if (!run)
      throw new Superseded(`PhaseMigrationRun ${this.#ref.namespace}/${this.#ref.name} does not exist any more`);
    return run;
  }

  watch(onChange: (run: PhaseMigrationRun) => void, signal: AbortSignal): void {
    startReflector({
      client: this.#client,
      type: PhaseMigrationRuns,
      namespace: this.#ref.namespace,
      fieldSelector: `metadata.name=${this.#ref.name}`,
      onChange: (change) => {
        if (!isDeleted(change)) onChange(change);
      },
      logger: this.#logger,
      signal,
    });
  }

  async claim(status: RunnerStatus): Promise<void> {
    const run = await this.get();
    this.#refuseNewer(run);
    // The resourceVersion stands for everything that was looked at: nobody can have claimed in between.
    const test: Operation = { op: 'test', path: '/metadata/resourceVersion', value: run.metadata.resourceVersion };
    const parent: Operation[] = run.status ? [] : [{ op: 'add', path: '/status', value: {} }];
    await this.#patch([test, ...parent, { op: 'add', path: '/status/runner', value: status }]);
  }

  async report(status: RunnerStatus): Promise<void> {
    try {
      await this.#patch([
        { op: 'test', path: '/spec/runnerEpoch', value: this.#epoch },
        { op: 'test', path: '/status/runner/epoch', value: this.#epoch },
        { op: 'add', path: '/status/runner', value: status },
      ]);
    } catch (error) {
      // A failed test is answered like any invalid patch: the run itself says whether it was that.
      if (isInvalid(error) || isConflict(error)) this.#refuseNewer(await this.get());
      throw error;
    }
  }

  #refuseNewer(run: PhaseMigrationRun): void {
    const newest = Math.max(run.spec.runnerEpoch, run.status?.runner?.epoch ?? 0);
    if (newest > this.#epoch)
      throw new Superseded(`start ${newest} of the runner works on this run; this is start ${this.#epoch}`);
  }

  async #patch(body: Operation[]): Promise<void> {
    await this.#client.patch(PhaseMigrationRuns, this.#ref, {
      kind: 'Json',
      body,
      subresource: 'status',
      fieldManager: RUNNER_FIELD_MANAGER,
    });
  }
}
