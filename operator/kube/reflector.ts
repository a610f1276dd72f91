import { ConnectionError, isGone, type KubeClient } from './client.ts';
import type { Logger } from './logger.ts';
import { messageOf } from './message-of.ts';
import { backoffDelay, pause, type Backoff } from './timing.ts';
import { keyOf, refOf, refOfKey, type KubeObject, type ObjectRef, type ResourceType } from './types.ts';

/** An object is gone. `lastState` is known only if the watch was there to see it go. */
export interface Deleted<T extends KubeObject> {
  deleted: ObjectRef;
  lastState?: T;
}

/** What a handler is told: the object as it is now, or that it is gone. */
export type Change<T extends KubeObject> = T | Deleted<T>;

/** Tells the two kinds of {@link Change} apart. */
export function isDeleted<T extends KubeObject>(change: Change<T>): change is Deleted<T> {
  return 'deleted' in change;
}

/** How a reflector paces itself; all in milliseconds. */
export interface ReflectorTiming {
  /** A watch is asked to last between one and two times this. */
  watchMilliseconds: number;
  /** A watch on which not even a bookmark came for so long (the server sends one a minute) is dead. */
  idleMilliseconds: number;
  /** Everything is listed again between one and two times this after the last list. */
  relistMilliseconds: number;
  /** Between attempts, while lists or watches fail or end at once. */
  backoff: Backoff;
}

export interface ReflectorOptions<T extends KubeObject> {
  client: KubeClient;
  type: ResourceType<T>;
  namespace?: string;
  labelSelector?: string;
  fieldSelector?: string;
  /** Must only note what is to be done (enqueue a key); what it throws is logged. */
  onChange: (change: Change<T>) => void;
  /** Called once, when the first list has been handed over. */
  onSynced?: () => void;
  logger: Logger;
  /** Stops the reflector, as `stop()` does. */
  signal?: AbortSignal;
  timing?: Partial<ReflectorTiming>;
}

export interface Reflector {
  /** Whether the first list has been handed over. */
  hasSynced(): boolean;
  /** Resolves when nothing will be handed over any more. */
  stop(): Promise<void>;
}

const defaultTiming: ReflectorTiming = {
  watchMilliseconds: 300_000,
  idleMilliseconds: 150_000,
  relistMilliseconds: 3_600_000,
  backoff: { baseMilliseconds: 200, capMilliseconds: 15_000 },
};

/** A watch that lasted so long, or on which anything came, shows that the server is well. */
const healthyWatchMilliseconds = 5_000;

/**
 * Tells a handler of every selected object and of every change from then on: list, watch, and again, for as long as the
 * process lives, through restarts of the API server, dead connections and expired resource versions. Keeps no objects,
 * only the resourceVersion of each: that is what it needs to notice, after a gap, what changed and what is gone. May
 * skip states in between (level-triggered), never the last one.
 */
export function startReflector<T extends KubeObject>(options: ReflectorOptions<T>): Reflector {
  const loop = new ReflectorLoop(options);
  const done = loop.run();
  return {
    hasSynced: () => loop.synced,
    stop: async () => {
      loop.stop();
      await done;
    },
  };
}

class ReflectorLoop<T extends KubeObject> {
  synced = false;
  readonly #options: ReflectorOptions<T>;
  readonly #timing: ReflectorTiming;
  readonly #logger: Logger;
  readonly #stopping = new AbortController();
  /** resourceVersion of every object that was handed over, by key. */
  readonly #known = new Map<string, string>();
  /** Where the next watch begins; undefined if a list must come first. */
  #resourceVersion: string | undefined;
  #relistAt = 0;
  #failures = 0;

  constructor(options: ReflectorOptions<T>) {
    this.#options = options;
    this.#timing = { ...defaultTiming, ...options.timing };
    this.#logger = options.logger.child({ reflector: options.type.plural });
  }

  stop(): void {
    this.#stopping.abort();
  }

  async run(): Promise<void> {
    const { signal: outer } = this.#options;
    const stop = (): void => this.stop();
    if (outer?.aborted === true) stop();
    outer?.addEventListener('abort', stop, { once: true });
    while (!this.#stopping.signal.aborted) {
      const healthy = await this.#step();
      this.#failures = healthy ? 0 : this.#failures + 1;
      // The first list is followed by its watch, and an expired watch by a list, without delay; what fails or ends at
      // once again and again is not repeated in a storm.
      if (this.#failures > 1) await this.#backOff();
    }
    outer?.removeEventListener('abort', stop);
  }

  /** One list or one watch. Returns whether the server showed itself well. */
  async #step(): Promise<boolean> {
    try {
      if (this.#resourceVersion === undefined || performance.now() >= this.#relistAt) await this.#list();
      return await this.#watch(this.#resourceVersion ?? '');
    } catch (error) {
      if (this.#stopping.signal.aborted) return true;
      if (isGone(error)) {
        this.#logger.info('The resource version has expired; listing again.');
        this.#resourceVersion = undefined;
        return false;
      }
      this.#logger.warn(`Cannot list or watch ${this.#options.type.plural}: ${messageOf(error)}`);
      // The first failure is followed by a delay, too.
      this.#failures = Math.max(this.#failures, 1);
      return false;
    }
  }

  async #list(): Promise<void> {
    const { client, type } = this.#options;
    const gone = new Set(this.#known.keys());
    const onPage = (items: T[]): void => {
      for (const item of items) {
        const key = keyOf(refOf(item));
        gone.delete(key);
        this.#hand(key, item);
      }
    };
    const { signal } = this.#stopping;
    this.#resourceVersion = await client.listPages(type, this.#selection(), onPage, { signal });
    for (const key of gone) this.#handDeleted(key);
    this.#relistAt = performance.now() + this.#timing.relistMilliseconds * (1 + Math.random());
    if (this.synced) return;
    this.synced = true;
    this.#safely(() => this.#options.onSynced?.());
  }

  async #watch(resourceVersion: string): Promise<boolean> {
    const { client, type } = this.#options;
    const began = performance.now();
    const left = Math.max(1_000, this.#relistAt - began);
    const milliseconds = Math.min(left, this.#timing.watchMilliseconds * (1 + Math.random()));
    const timeoutSeconds = Math.ceil(milliseconds / 1000);
    const watchdog = this.#startWatchdog();
    let anything = false;
    try {
      const options = { ...this.#selection(), resourceVersion, timeoutSeconds, allowBookmarks: true };
      for await (const event of client.watch(type, options, watchdog.signal)) {
        anything = true;
        watchdog.reset();
        this.#resourceVersion = event.object.metadata.resourceVersion ?? this.#resourceVersion;
        this.#onEvent(event.type, event.object);
      }
      return anything || performance.now() - began >= healthyWatchMilliseconds;
    } finally {
      watchdog.clear();
      // A watch that worked until it broke is not one failure more in a row.
      if (anything) this.#failures = 0;
    }
  }

  #onEvent(type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK', object: T): void {
    if (type === 'BOOKMARK') return;
    const key = keyOf(refOf(object));
    if (type === 'DELETED') this.#handDeleted(key, object);
    else this.#hand(key, object);
  }

  #hand(key: string, object: T): void {
    const version = object.metadata.resourceVersion ?? '';
    if (this.#known.get(key) === version) return;
    // The version is noted in any case, for the key's deletion to be noticed; an empty one has the object handed over
    // again by the next list if the handler failed on it.
    this.#known.set(key, this.#safely(() => this.#options.onChange(object)) ? version : '');
  }

  #handDeleted(key: string, lastState?: T): void {
    const handed = this.#safely(() => this.#options.onChange({ deleted: refOfKey(key), lastState }));
    if (handed) this.#known.delete(key);
  }

  #safely(call: () => void): boolean {
    try {
      call();
      return true;
    } catch (error) {
      this.#logger.error(`A handler of ${this.#options.type.plural} failed: ${messageOf(error)}`, { error });
      return false;
    }
  }

  #selection() {
    const { namespace, labelSelector, fieldSelector } = this.#options;
    return { namespace, labelSelector, fieldSelector };
  }

  #backOff(): Promise<void> {
    return pause(backoffDelay(this.#timing.backoff, this.#failures - 1), this.#stopping.signal);
  }

  /** Aborts when nothing has come for too long: a connection whose other end vanished never reports an error. */
  #startWatchdog() {
    const controller = new AbortController();
    const { idleMilliseconds } = this.#timing;
    const bark = (): void =>
      controller.abort(new ConnectionError(`Nothing came for ${idleMilliseconds / 1000} s, not even a bookmark.`));
    let timer = setTimeout(bark, idleMilliseconds);
    const stop = (): void => controller.abort(new Error('stopped'));
    const { signal: stopping } = this.#stopping;
    if (stopping.aborted) stop();
    stopping.addEventListener('abort', stop, { once: true });
    return {
      signal: controller.signal,
      reset: () => {
        clearTimeout(timer);
        timer = setTimeout(bark, idleMilliseconds);
      },
      clear: () => {
        clearTimeout(timer);
        stopping.removeEventListener('abort', stop);
      },
    };
  }
}
