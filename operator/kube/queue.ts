import type { Logger } from './logger.ts';
import { messageOf } from './message-of.ts';
import { backoffDelay, type Backoff } from './timing.ts';

/** What is to become of a key after it was processed. */
export type Outcome =
  /** Nothing more to do until somebody adds the key. */
  | { result: 'Done' }
  /** All well; look again after so many milliseconds at the latest. */
  | { result: 'RequeueAfter'; milliseconds: number }
  /** Failed; process again after a delay that doubles with every failure in a row. */
  | { result: 'Retry'; error: unknown }
  /** Failed in a way that repeating cannot help; not processed again until somebody adds the key. */
  | { result: 'Terminal'; error: unknown };

/** Time, as the queue knows it. */
export interface Clock {
  /** Milliseconds that never run backwards. */
  now(): number;
  /** Calls back once; returns what takes that back. */
  after(milliseconds: number, callback: () => void): () => void;
}

/** Told of what happens in a queue; see metrics.ts. */
export interface QueueObserver {
  added?(): void;
  started?(waitedMilliseconds: number): void;
  finished?(outcome: Outcome, tookMilliseconds: number): void;
}

export interface WorkQueueOptions {
  /** Must not be called for one key twice at a time; the queue sees to that. A rejection counts as Retry. */
  process: (key: string) => Promise<Outcome>;
  /** How many keys are processed at a time. */
  concurrency: number;
  backoff: Backoff;
  logger: Logger;
  observer?: QueueObserver;
  clock?: Clock;
  random?: () => number;
}

/** setTimeout fires at once for more than 2³¹−1 ms; a key that is due later is looked at on the way. */
const longestTimer = 2 ** 31 - 1;

const systemClock: Clock = {
  now: () => performance.now(),
  after: (milliseconds, callback) => {
    const timer = setTimeout(callback, Math.min(milliseconds, longestTimer));
    return () => clearTimeout(timer);
  },
};

/**
 * A queue of keys, after client-go's: a key is at most once waiting and at most once being processed; one that is added
 * while it is processed is processed once more afterwards, so that no change is lost. First come, first served.
 */
export class WorkQueue {
  readonly #options: WorkQueueOptions;
  readonly #clock: Clock;
  /** Keys to be processed, in order, with the time they were added. */
  readonly #waiting = new Map<string, number>();
  /** Keys being processed; true for one that was added meanwhile. */
  readonly #running = new Map<string, { again: boolean }>();
  readonly #delayed = new Map<string, { due: number; cancel: () => void }>();
  readonly #failures = new Map<string, number>();
  #closed = false;
  #idle: () => void = () => undefined;

  constructor(options: WorkQueueOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** How many keys wait to be processed. */
  get depth(): number {
    let again = 0;
    for (const running of this.#running.values()) if (running.again) again++;
    return this.#waiting.size + again;
  }

  /** How many keys are being processed. */
  get running(): number {
    return this.#running.size;
  }

  /** Has a key processed as soon as possible. Does nothing if it waits already, or after `shutdown`. */
  add(key: string): void {
    if (this.#closed || this.#waiting.has(key)) return;
    const running = this.#running.get(key);
    if (running?.again === true) return;
    this.#options.observer?.added?.();
    if (running !== undefined) running.again = true;
    else this.#waiting.set(key, this.#clock.now());
    this.#startNext();
  }

  /** Adds a key later. Of several times for one key the earliest counts. */
  addAfter(key: string, milliseconds: number): void {
    if (this.#closed) return;
    if (!(milliseconds > 0)) return this.add(key);
    const due = this.#clock.now() + milliseconds;
    const earlier = this.#delayed.get(key);
    if (earlier !== undefined && earlier.due <= due) return;
    earlier?.cancel();
    this.#wakeAt(key, due);
  }

  /** Forgets a key's failures, so that the next one is followed by the shortest delay again. */
  forget(key: string): void {
    this.#failures.delete(key);
  }

  /** Processes nothing that has not begun, accepts nothing more, and resolves when what is running has ended. */
  async shutdown(): Promise<void> {
    this.#closed = true;
    this.#waiting.clear();
    for (const { cancel } of this.#delayed.values()) cancel();
    this.#delayed.clear();
    if (this.#running.size === 0) return;
    await new Promise<void>((resolve) => {
      const before = this.#idle;
      this.#idle = () => {
        before();
        resolve();
      };
    });
  }

  #wakeAt(key: string, due: number): void {
    const cancel = this.#clock.after(due - this.#clock.now(), () => {
      // A timer may fire a little early, and one of more than 24 days fires on the way.
      if (this.#clock.now() < due) return this.#wakeAt(key, due);
      this.#delayed.delete(key);
      this.add(key);
    });
    this.#delayed.set(key, { due, cancel });
  }

  #startNext(): void {
    while (this.#running.size < this.#options.concurrency) {
      const next = this.#waiting.entries().next();
      if (next.done === true) return;
      const [key, since] = next.value;
      this.#waiting.delete(key);
      this.#running.set(key, { again: false });
      void this.#run(key, this.#clock.now() - since);
    }
  }

  async #run(key: string, waited: number): Promise<void> {
    const { observer } = this.#options;
    const began = this.#clock.now();
    observer?.started?.(waited);
    const outcome = await this.#process(key);
    observer?.finished?.(outcome, this.#clock.now() - began);
    const again = this.#running.get(key)?.again === true;
    this.#running.delete(key);
    if (!this.#closed) {
      // Before the outcome, which may add the key at once: waiting already, it is not begun a second time beside itself.
      if (again) this.#waiting.set(key, this.#clock.now());
      this.#settle(key, outcome);
      this.#startNext();
    }
    if (this.#running.size === 0) this.#idle();
  }

  async #process(key: string): Promise<Outcome> {
    try {
      return await this.#options.process(key);
    } catch (error) {
      return { result: 'Retry', error };
    }
  }

  #settle(key: string, outcome: Outcome): void {
    const { logger, backoff, random } = this.#options;
    if (outcome.result !== 'Retry') this.forget(key);
    switch (outcome.result) {
      case 'Done':
        return;
      case 'RequeueAfter':
        return this.addAfter(key, outcome.milliseconds);
      case 'Terminal':
        return logger.error(`Gave up: ${messageOf(outcome.error)}`, { key });
      case 'Retry': {
        const failures = (this.#failures.get(key) ?? 0) + 1;
        this.#failures.set(key, failures);
        const milliseconds = backoffDelay(backoff, failures, random);
        const retryInSeconds = Math.round(milliseconds) / 1000;
        logger.warn(`Will try again: ${messageOf(outcome.error)}`, { key, failures, retryInSeconds });
        return this.addAfter(key, milliseconds);
      }
    }
  }
}
