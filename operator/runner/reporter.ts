import type { RunnerStatus } from '../api/phase-migration-run.ts';
import { pause, backoffDelay } from '../kube/timing.ts';
import type { Logger } from '../kube/logger.ts';
import { Interrupted, Superseded } from './core/failure.ts';
import { reportableChange } from './core/reportable.ts';
import { messageOf } from '../kube/message-of.ts';
import type { RunPort } from './port.ts';

interface Waiter {
  version: number;
  resolve: () => void;
  reject: (error: Error) => void;
}

const RETRY = { baseMilliseconds: 100, capMilliseconds: 3000 };

/**
 * The runner's status, in memory and on its way to the API server. Changes made while a report is on its way go with
 * the next one; a report that fails is sent again for as long as it takes, while the work itself goes on. Only who must
 * know that something was written before it is done waits with {@link flush}.
 */
export class Reporter {
  readonly status: RunnerStatus;
  readonly #port: RunPort;
  readonly #signal: AbortSignal;
  readonly #logger: Logger;
  #version = 0;
  #acknowledged = 0;
  #sending = false;
  #waiters: Waiter[] = [];
  #superseded: Superseded | undefined;
  /** Called once when a newer epoch was seen. */
  onSuperseded: () => void = () => undefined;

  constructor(status: RunnerStatus, port: RunPort, options: { signal: AbortSignal; logger: Logger }) {
    this.status = status;
    this.#port = port;
    this.#signal = options.signal;
    this.#logger = options.logger;
    options.signal.addEventListener('abort', () => this.#fail(new Interrupted('the runner is asked to end')), {
      once: true,
    });
  }

  /** Changes the status and sends it when it can. */
  update(change: Partial<RunnerStatus>): void {
    Object.assign(this.status, reportableChange(change));
    this.#version++;
    if (this.#sending) return;
    this.#sending = true;
    // What one turn of the work changes belongs together: a step's failure and what it means for the others.
    setImmediate(() => void this.#send());
  }

  /** Resolves when the API server has acknowledged everything that was updated so far. */
  flush(): Promise<void> {
    if (this.#superseded) return Promise.reject(this.#superseded);
    if (this.#signal.aborted) return Promise.reject(new Interrupted('the runner is asked to end'));
    if (this.#acknowledged === this.#version) return Promise.resolve();
    return new Promise((resolve, reject) => this.#waiters.push({ version: this.#version, resolve, reject }));
  }

  async #send(): Promise<void> {
    for (let failures = 0; this.#acknowledged < this.#version && !this.#signal.aborted && !this.#superseded;) {
      const version = this.#version;
      try {
        await this.#port.report(structuredClone(this.status));
        this.#acknowledge(version);
        failures = 0;
      } catch (error) {
        if (error instanceof Superseded) return this.#supersede(error);
        failures++;
        this.#logger.warn('The status could not be reported; trying again.', { error: messageOf(error), failures });
        await pause(backoffDelay(RETRY, failures), this.#signal);
      }
    }
    this.#sending = false;
  }

  #acknowledge(version: number): void {
    this.#acknowledged = version;
    const done = this.#waiters.filter((waiter) => waiter.version <= version);
    this.#waiters = this.#waiters.filter((waiter) => waiter.version > version);
    for (const waiter of done) waiter.resolve();
  }

  #supersede(error: Superseded): void {
    this.#superseded = error;
    this.#fail(error);
    this.onSuperseded();
  }

  #fail(error: Error): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter.reject(error);
  }
}
