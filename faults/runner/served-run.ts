import type { Goal, PhaseMigrationRunStatus } from '../../operator/api/phase-migration-run.ts';
import type { PhaseMigrationRun as Run } from '../../operator/api/resources.ts';
import { PhaseMigrationRun } from '../../operator/controller/resource-types.ts';
import type { KubeClient } from '../../operator/kube/client.ts';
import { silentLogger } from '../../operator/kube/logger.ts';
import { messageOf } from '../../operator/kube/message-of.ts';
import { isDeleted, startReflector } from '../../operator/kube/reflector.ts';
import { refOf } from '../../operator/kube/types.ts';
import { MemoryRun } from '../../operator/runner/testing/memory-port.ts';

/** A run on a real API server as the operator sees and changes it, on a way of its own. */
export class ServedRun extends MemoryRun {
  /** What could not be written. Nothing stands between this and the API server, so nothing may fail. */
  readonly failures: string[] = [];
  readonly #client: KubeClient;
  #written: Promise<unknown> = Promise.resolve();

  private constructor(client: KubeClient, run: Run) {
    super(run);
    this.#client = client;
  }

  /** Creates the run on the API server and follows it until `signal`. */
  static async create(client: KubeClient, { metadata, ...rest }: Run, signal: AbortSignal): Promise<ServedRun> {
    const { name, namespace } = metadata;
    const run = await client.create(PhaseMigrationRun, { ...rest, metadata: { name, namespace } });
    const served = new ServedRun(client, run);
    startReflector({
      client,
      type: PhaseMigrationRun,
      namespace,
      fieldSelector: `metadata.name=${name}`,
      onChange: (change) => {
        if (!isDeleted(change)) served.change(change);
      },
      logger: silentLogger,
      signal,
    });
    return served;
  }

  override setGoal(goal: Goal): void {
    this.#write({ status: { workloadsStopped: true } }, 'status');
    this.#write({ spec: { goal } });
  }

  override setEpoch(runnerEpoch: number): void {
    this.#write({ spec: { runnerEpoch } });
  }

  override setStatus(status: Partial<PhaseMigrationRunStatus>): void {
    this.#write({ status }, 'status');
  }

  /** The run as it is on the API server now, which is also what is seen from now on. */
  async read(): Promise<Run> {
    const run = await this.#client.get(PhaseMigrationRun, refOf(this.run));
    if (!run) throw new Error(`PhaseMigrationRun ${this.run.metadata.name} is gone.`);
    this.change(run);
    return run;
  }

  /** Resolves when everything that was set is written. */
  async settled(): Promise<void> {
    await this.#written;
  }

  /** One after the other: goals only move on. */
  #write(body: object, subresource?: 'status'): void {
    this.#written = this.#written
      .then(() => this.#client.patch(PhaseMigrationRun, refOf(this.run), { kind: 'Merge', body, subresource }))
      .catch((error: unknown) => this.failures.push(`the operator's part could not be written: ${messageOf(error)}`));
  }
}
