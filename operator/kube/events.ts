import { randomBytes } from 'node:crypto';
import { ConnectionError, isNotFound, type KubeClient } from './client.ts';
import type { Logger } from './logger.ts';
import { messageOf } from './message-of.ts';
import { redact } from './redact.ts';
import { Event } from './resource-types.ts';
import { backoffDelay, pause } from './timing.ts';
import type { KubeObject } from './types.ts';

/** Something a person may want to know about an object, shown by `kubectl describe` and `kubectl events`. */
export interface EventInput {
  /** The object it is about, as it was read. */
  regarding: KubeObject;
  type: 'Normal' | 'Warning';
  /** Why: one CamelCase word out of a small, documented set. */
  reason: string;
  /** What was done or attempted: one CamelCase word out of a small set. */
  action: string;
  /** A sentence. Secrets are taken out; longer than 1 kB is cut. */
  note: string;
  /** A second object that took part. */
  related?: KubeObject;
}

export interface EventRecorderOptions {
  client: KubeClient;
  /** Name of the pod. */
  reportingInstance: string;
  reportingController?: string;
  logger: Logger;
  /** The same event again within this time counts as a repetition. Default 6 minutes, as in client-go. */
  seriesMilliseconds?: number;
  /** A repeated event is written at most this often, however often it repeats. Default 10 s. */
  rewriteMilliseconds?: number;
}

interface Entry {
  input: EventInput;
  /** How often it happened, in all. */
  count: number;
  lastObserved: Date;
  /** How often it had happened when it was last written; 0 before. */
  written: number;
  writtenAt: number;
  /** The Event object, once there is one. */
  name?: string;
  namespace: string;
}

const maxNoteBytes = 1024;
const maxEntries = 2_000;
const attempts = 5;

/**
 * Records events.k8s.io/v1 Events. `record` only notes; they are written one after the other in the background, and one
 * that repeats becomes a series on the same Event instead of a new one. Events are for people and may be lost:
 * nothing here throws, and whatever somebody must act upon belongs into a status, too.
 */
export class EventRecorder {
  readonly #options: EventRecorderOptions;
  /** By what makes two events the same; the order is that of their last occurrence. */
  readonly #entries = new Map<string, Entry>();
  readonly #closing = new AbortController();
  #rounds: Promise<void> = Promise.resolve();
  #scheduled = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
  }

  /** Notes an event, and logs it: Events are gone after an hour. Returns at once; never throws. */
  record(input: EventInput): void {
    const { namespace, name } = input.regarding.metadata;
    const fields = { kind: input.regarding.kind, namespace, name, reason: input.reason };
    this.#options.logger[input.type === 'Warning' ? 'warn' : 'info'](input.note, fields);
    const key = identityOf(input);
    const known = this.#entries.get(key);
    this.#entries.delete(key);
    const current = known !== undefined && Date.now() - known.lastObserved.getTime() < this.#seriesMilliseconds();
    const entry = current ? known : newEntry(input);
    entry.count += 1;
    entry.lastObserved = new Date();
    this.#entries.set(key, entry);
    this.#forgetOld();
    this.#schedule();
  }

  /** Writes everything that is not written yet; for a clean shutdown. Resolves after at most `milliseconds`. */
  async flush(milliseconds = 5_000): Promise<void> {
    const limit = setTimeout(() => this.#closing.abort(), milliseconds);
    await this.#afterwards(() => this.#write(true));
    clearTimeout(limit);
  }

  #schedule(): void {
    if (this.#scheduled || this.#closing.signal.aborted) return;
    this.#scheduled = true;
    void this.#afterwards(async () => {
      // What is recorded from here on may come too late for this round.
      this.#scheduled = false;
      await this.#write(false);
      this.#scheduleRewrite();
    });
  }

  /** One after the other: two rounds at a time would both find the same event unwritten and create it twice. */
  #afterwards(work: () => Promise<void>): Promise<void> {
    this.#rounds = this.#rounds.then(work);
    return this.#rounds;
  }

  /** A series that grew shortly after it was written is written once more when its time has come. */
  #scheduleRewrite(): void {
    const waiting = [...this.#entries.values()].filter((entry) => entry.count > entry.written);
    if (waiting.length === 0) return;
    clearTimeout(this.#timer);
    const due = Math.min(...waiting.map((entry) => this.#dueIn(entry)));
    this.#timer = setTimeout(() => this.#schedule(), Math.max(due, 1));
    // An event that is only a higher count must not keep the process alive.
    this.#timer.unref();
  }

  async #write(evenIfRecent: boolean): Promise<void> {
    for (;;) {
      const next = this.#nextDue(evenIfRecent);
      if (next === undefined || this.#closing.signal.aborted) return;
      await this.#writeEntry(...next);
    }
  }

  #nextDue(evenIfRecent: boolean): [string, Entry] | undefined {
    for (const [key, entry] of this.#entries) {
      if (entry.count > entry.written && (evenIfRecent || this.#dueIn(entry) <= 0)) return [key, entry];
    }
    return undefined;
  }

  #dueIn(entry: Entry): number {
    if (entry.written === 0) return 0;
    return entry.writtenAt + (this.#options.rewriteMilliseconds ?? 10_000) - performance.now();
  }

  async #writeEntry(key: string, entry: Entry): Promise<void> {
    for (let attempt = 1; !this.#closing.signal.aborted; attempt++) {
      try {
        entry.written = await this.#send(entry);
        entry.writtenAt = performance.now();
        return;
      } catch (error) {
        if (error instanceof ConnectionError && attempt < attempts) {
          await pause(backoffDelay({ baseMilliseconds: 500, capMilliseconds: 8_000 }, attempt), this.#closing.signal);
          continue;
        }
        const { reason, regarding } = entry.input;
        this.#options.logger.warn(`An event was not recorded: ${messageOf(error)}`, {
          reason,
          on: regarding.metadata.name,
        });
        this.#entries.delete(key);
        return;
      }
    }
  }

  /** Creates or patches the Event; returns the count that it now shows. */
  async #send(entry: Entry): Promise<number> {
    const { client } = this.#options;
    if (entry.name !== undefined) {
      const { count } = entry;
      const body = { series: { count, lastObservedTime: microTime(entry.lastObserved) } };
      const ref = { namespace: entry.namespace, name: entry.name };
      try {
        await client.patch(Event, ref, { kind: 'Merge', body });
        return count;
      } catch (error) {
        // The API server forgets events after an hour: begin anew.
        if (!isNotFound(error)) throw error;
        entry.count -= entry.written;
      }
    }
    const { count } = entry;
    entry.name = (await client.create(Event, this.#body(entry))).metadata.name;
    return count;
  }

  #body({ input, count, lastObserved, namespace }: Entry): Event {
    const { regarding, related, type, reason, action, note } = input;
    const { reportingInstance, reportingController = 'phasemigration.io/operator' } = this.#options;
    return {
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      // As client-go names them, but with enough of the object's name for the whole to be a valid one.
      metadata: { namespace, name: `${regarding.metadata.name.slice(0, 220)}.${uniqueSuffix()}` },
      eventTime: microTime(lastObserved),
      ...(count > 1 && { series: { count, lastObservedTime: microTime(lastObserved) } }),
      reportingController,
      reportingInstance: reportingInstance.slice(0, 128),
      regarding: referenceTo(regarding),
      ...(related && { related: referenceTo(related) }),
      type,
      reason,
      action,
      note: cutToBytes(redact(note), maxNoteBytes),
    };
  }

  #forgetOld(): void {
    const horizon = Date.now() - this.#seriesMilliseconds();
    for (const [key, entry] of this.#entries) {
      const old = entry.lastObserved.getTime() < horizon && entry.count === entry.written;
      if (!old && this.#entries.size <= maxEntries) return;
      this.#entries.delete(key);
    }
  }

  #seriesMilliseconds(): number {
    return this.#options.seriesMilliseconds ?? 360_000;
  }
}

function newEntry(input: EventInput): Entry {
  // Events about cluster-scoped objects live in the namespace `default`, as kubectl expects.
  const namespace = input.regarding.metadata.namespace ?? 'default';
  const { regarding, related } = input;
  // Entries are kept for minutes: with whole objects, a thousand of them would be most of the operator's memory.
  const kept = { ...input, regarding: identifying(regarding), related: related && identifying(related) };
  return { input: kept, count: 0, lastObserved: new Date(), written: 0, writtenAt: 0, namespace };
}

function identityOf({ regarding, related, type, reason, action, note }: EventInput): string {
  const objects = [regarding, related].map((object) => object && [object.metadata.uid, object.metadata.name]);
  return JSON.stringify([...objects, regarding.metadata.namespace, type, reason, action, note]);
}

function identifying({ apiVersion, kind, metadata }: KubeObject): KubeObject {
  const { namespace, name, uid, resourceVersion } = metadata;
  return { apiVersion, kind, metadata: { namespace, name, uid, resourceVersion } };
}

function referenceTo({ apiVersion, kind, metadata }: KubeObject) {
  const { namespace, name, uid, resourceVersion } = metadata;
  return { apiVersion, kind, namespace, name, uid, resourceVersion };
}

/** The time as client-go writes it, and something random: in their containers all replicas have process id 1. */
function uniqueSuffix(): string {
  return `${Date.now().toString(16)}${randomBytes(3).toString('hex')}`;
}

/** Cuts between characters, not between bytes, and says so. */
export function cutToBytes(text: string, maxBytes: number): string {
  if (Buffer.byteLength(text) <= maxBytes) return text;
  const mark = '…';
  let end = maxBytes - Buffer.byteLength(mark);
  const bytes = Buffer.from(text);
  // 10xxxxxx continues a character.
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
  return bytes.subarray(0, end).toString('utf8') + mark;
}

/** metav1.MicroTime: exactly six digits. */
function microTime(date: Date): string {
  return date.toISOString().replace('Z', '000Z');
}
