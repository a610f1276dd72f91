import { isAlreadyExists, isConflict, type KubeClient } from './client.ts';
import type { Logger } from './logger.ts';
import { messageOf } from './message-of.ts';
import { Lease } from './resource-types.ts';
import { pause } from './timing.ts';

/** All in milliseconds. client-go's defaults, which kube-controller-manager uses too: 15, 10 and 2 s. */
export interface ElectionTiming {
  /** Others may take the Lease over when they have not seen it renewed for so long. */
  leaseMilliseconds: number;
  /** A leader that could not renew for so long gives up: before others may take over. */
  renewMilliseconds: number;
  /** Between two attempts to acquire or renew. */
  retryMilliseconds: number;
}

export interface ElectionOptions {
  client: KubeClient;
  namespace: string;
  /** Name of the Lease. */
  name: string;
  /** Must be this process's alone: a pod's name is not enough, its container may be restarted. */
  identity: string;
  /** Called once, when this process has become the leader. */
  onLeading: () => void;
  /**
   * Called once, when leadership was lost against our will. Another process may lead soon or already: this one must
   * exit at once, because only that surely ends everything it has begun.
   */
  onLost: (reason: string) => void;
  /** Told who leads, whenever that changes. */
  onNewLeader?: (identity: string) => void;
  logger: Logger;
  timing?: Partial<ElectionTiming>;
}

export interface LeaderElection {
  /** Whether this process leads, as far as it can know: false as soon as its last renewal is too long ago. */
  isLeader(): boolean;
  /** Stops taking part. If this process leads, the Lease is given back, so that another takes over at once: call it last. */
  stop(): Promise<void>;
}

const defaultTiming: ElectionTiming = {
  leaseMilliseconds: 15_000,
  renewMilliseconds: 10_000,
  retryMilliseconds: 2_000,
};

/**
 * Takes part in the election of one leader among the processes that use the same Lease, by client-go's rules. Clocks
 * are not compared: a candidate measures, by its own monotonic clock, for how long it has seen the Lease unchanged. A
 * Lease is no fence: a process that was frozen can act for a moment before it notices; what must never happen twice is
 * guarded elsewhere (the database's own lock).
 */
export function startLeaderElection(options: ElectionOptions): LeaderElection {
  const candidate = new Candidate(options);
  const done = candidate.run();
  return {
    isLeader: () => candidate.isLeader(),
    stop: async () => {
      candidate.stop();
      await done;
      await candidate.release();
    },
  };
}

class Candidate {
  readonly #options: ElectionOptions;
  readonly #timing: ElectionTiming;
  readonly #stopping = new AbortController();
  /** The Lease as it was last seen, and when (monotonic) it was first seen like that. */
  #observed: { lease: Lease; version: string; since: number } | undefined;
  #holder = '';
  #leading = false;
  /** Leadership ended against our will: what was begun may still run, so the Lease is not given back. */
  #lost = false;
  /** When (monotonic) the last successful renewal was begun. */
  #renewedAt = 0;

  constructor(options: ElectionOptions) {
    this.#options = options;
    this.#timing = { ...defaultTiming, ...options.timing };
    const { leaseMilliseconds, renewMilliseconds, retryMilliseconds } = this.#timing;
    if (leaseMilliseconds <= renewMilliseconds || renewMilliseconds <= 1.2 * retryMilliseconds) {
      throw new Error('Leader election needs leaseMilliseconds > renewMilliseconds > 1.2 × retryMilliseconds.');
    }
  }

  isLeader(): boolean {
    return this.#leading && performance.now() - this.#renewedAt < this.#timing.renewMilliseconds;
  }

  stop(): void {
    this.#stopping.abort();
  }

  async run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      // Before an attempt, too: a process that was frozen past its deadline must not renew as if nothing had been.
      if (this.#leading && !this.isLeader()) return this.#lose();
      const held = await this.#tryAcquireOrRenew();
      if (signal.aborted) return;
      if (held && !this.#leading) this.#begin();
      if (this.#leading && this.#isHeldByAnother()) return this.#lose();
      await pause(this.#untilNextAttempt(), signal);
    }
  }

  /** Gives the Lease back if this process holds it. Never throws: a Lease that is not given back expires. */
  async release(): Promise<void> {
    const lease = this.#observed?.lease;
    if (this.#lost || lease === undefined || !this.#isOurs(lease)) return;
    this.#leading = false;
    try {
      const spec = { ...lease.spec, holderIdentity: '', leaseDurationSeconds: 1, renewTime: microTime() };
      await this.#options.client.replace(Lease, { ...lease, spec }, this.#call());
      this.#options.logger.info('Gave up leadership, so that another replica can take over at once.');
    } catch (error) {
      this.#options.logger.warn(`Could not give the Lease back; it expires by itself: ${messageOf(error)}`);
    }
  }

  #begin(): void {
    this.#leading = true;
    this.#options.logger.info('This replica is the leader.', { identity: this.#options.identity });
    this.#options.onLeading();
  }

  #lose(): void {
    this.#leading = false;
    this.#lost = true;
    const { name, onLost } = this.#options;
    if (this.#isHeldByAnother()) return onLost(`The Lease ${name} was taken over by ${this.#holder}.`);
    onLost(`The Lease ${name} could not be renewed for ${this.#timing.renewMilliseconds / 1000} s.`);
  }

  /** Candidates that started together must not keep meeting: up to 20 % more. A leader never sleeps past its deadline. */
  #untilNextAttempt(): number {
    const retry = this.#timing.retryMilliseconds * (1 + 0.2 * Math.random());
    if (!this.#leading) return retry;
    return Math.max(0, Math.min(retry, this.#renewedAt + this.#timing.renewMilliseconds - performance.now()));
  }

  async #tryAcquireOrRenew(): Promise<boolean> {
    const began = performance.now();
    try {
      const { client, namespace, name } = this.#options;
      const lease = await client.get(Lease, { namespace, name }, this.#call());
      if (lease !== undefined) this.#observe(lease);
      if (this.#isHeldByAnother()) return false;
      this.#observe(lease === undefined ? await this.#create() : await this.#write(lease));
      this.#renewedAt = began;
      return true;
    } catch (error) {
      // Somebody else was faster: that is what the resourceVersion is there for.
      if (!isConflict(error) && !isAlreadyExists(error) && !this.#stopping.signal.aborted) {
        this.#options.logger.warn(`Could not ${this.#leading ? 'renew' : 'acquire'} the Lease: ${messageOf(error)}`);
      }
      return false;
    }
  }

  #create(): Promise<Lease> {
    const { namespace, name } = this.#options;
    const metadata = { namespace, name };
    const spec = this.#spec(undefined);
    const lease = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata, spec };
    return this.#options.client.create(Lease, lease, this.#call());
  }

  #write(lease: Lease): Promise<Lease> {
    return this.#options.client.replace(Lease, { ...lease, spec: this.#spec(lease) }, this.#call());
  }

  #spec(before: Lease | undefined): Lease['spec'] {
    const same = before !== undefined && this.#isOurs(before);
    const now = microTime();
    return {
      holderIdentity: this.#options.identity,
      leaseDurationSeconds: Math.ceil(this.#timing.leaseMilliseconds / 1000),
      acquireTime: same ? (before.spec?.acquireTime ?? now) : now,
      renewTime: now,
      leaseTransitions: (before?.spec?.leaseTransitions ?? 0) + (same || before === undefined ? 0 : 1),
    };
  }

  #observe(lease: Lease): void {
    const version = lease.metadata.resourceVersion ?? '';
    if (this.#observed?.version !== version) this.#observed = { lease, version, since: performance.now() };
    const holder = lease.spec?.holderIdentity ?? '';
    if (holder === this.#holder) return;
    this.#holder = holder;
    if (holder === '') return;
    if (holder !== this.#options.identity) this.#options.logger.info(`${holder} is the leader.`);
    this.#options.onNewLeader?.(holder);
  }

  /** Whether another candidate holds the Lease and has, as far as we have seen, renewed it lately. */
  #isHeldByAnother(): boolean {
    const { lease, since = 0 } = this.#observed ?? {};
    if (!lease?.spec?.holderIdentity || this.#isOurs(lease)) return false;
    return performance.now() - since < (lease.spec.leaseDurationSeconds ?? 0) * 1000;
  }

  #isOurs(lease: Lease): boolean {
    return lease.spec?.holderIdentity === this.#options.identity;
  }

  /** One hanging request must leave time for another before the deadline. */
  #call() {
    return { timeoutMilliseconds: this.#timing.renewMilliseconds / 2 };
  }
}

/** metav1.MicroTime: RFC 3339 with exactly six digits; the API server refuses three. */
function microTime(): string {
  return new Date().toISOString().replace('Z', '000Z');
}
