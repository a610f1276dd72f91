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

/**
 * The run on a real API server. Every write names the epoch and the report that it replaces, so that neither an older
 * start nor an older report of this one, which was held up on its way, can replace anything.
 */
export class KubeRunPort implements RunPort {
  readonly #client: KubeClient;
  readonly #ref: ObjectRef & { namespace: string };
  readonly #epoch: number;
  readonly #logger: Logger;
  /** Of the report that the API server has; undefined where its definitions are older and drop the number. */
  #reportNumber: number | undefined;

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
    const value = { ...status, reportNumber: (run.status?.runner?.reportNumber ?? 0) + 1 };
    const claimed = await this.#patch([test, ...parent, { op: 'add', path: '/status/runner', value }]);
    this.#reportNumber = claimed.status?.runner?.reportNumber;
  }

  async report(status: RunnerStatus): Promise<void> {
    const number = this.#reportNumber;
    try {
      const reported = await this.#patch([
        { op: 'test', path: '/spec/runnerEpoch', value: this.#epoch },
        { op: 'test', path: '/status/runner/epoch', value: this.#epoch },
        ...(number === undefined ? [] : [replaces(number)]),
        { op: 'add', path: '/status/runner', value: { ...status, reportNumber: (number ?? 0) + 1 } },
      ]);
      this.#reportNumber = reported.status?.runner?.reportNumber;
    } catch (error) {
      // A failed test is answered like any invalid patch: the run itself says whether it was that.
      if (isInvalid(error) || isConflict(error)) await this.#lookAtReports();
      throw error;
    }
  }

  /** A report whose answer was lost may be there. */
  async #lookAtReports(): Promise<void> {
    const run = await this.get();
    this.#refuseNewer(run);
    this.#reportNumber = run.status?.runner?.reportNumber;
  }

  #refuseNewer(run: PhaseMigrationRun): void {
    const newest = Math.max(run.spec.runnerEpoch, run.status?.runner?.epoch ?? 0);
    if (newest > this.#epoch)
      throw new Superseded(`start ${newest} of the runner works on this run; this is start ${this.#epoch}`);
  }

  #patch(body: Operation[]): Promise<PhaseMigrationRun> {
    return this.#client.patch(PhaseMigrationRuns, this.#ref, {
      kind: 'Json',
      body,
      subresource: 'status',
      fieldManager: RUNNER_FIELD_MANAGER,
    });
  }
}

function replaces(number: number): Operation {
  return { op: 'test', path: '/status/runner/reportNumber', value: number };
}
