import type { IncomingMessage, ServerResponse } from 'node:http';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { statusBody } from './calls.ts';
import { HIDE_MILLISECONDS, type Fault, type WatchFault } from './faults.ts';

type OneFault = Extract<Fault, { at: 'Watch' }>;

export interface WatchFaultOptions {
  fault?: OneFault;
  /** Told whenever the fault does something. */
  faulted: () => void;
  /** Nothing passes while it is there. */
  hole: () => Promise<void> | undefined;
}

/** So many events of a watch pass before it goes silent or is gone. */
const EVENTS_BEFORE = 2;
const TIMES_GONE = 3;
const REPEAT_MILLISECONDS = 300;

interface Watch {
  from: IncomingMessage;
  to: ServerResponse;
  write: (line: string) => Promise<void>;
  /** Timers of what is hidden, by object. */
  held: Map<string, NodeJS.Timeout>;
  events: number;
  previous?: string;
}

/** Passes watches on, event by event, and does to those of one resource what is to go wrong. */
export class WatchFaults {
  private readonly options: WatchFaultOptions;
  private begun = false;
  private timesGone = 0;

  constructor(options: WatchFaultOptions) {
    this.options = options;
  }

  begin(): void {
    this.begun = true;
  }

  /** Resolves when the watch has ended, by whomever. */
  async pass(resource: string, from: IncomingMessage, to: ServerResponse): Promise<void> {
    const fault = this.options.fault?.resource === resource ? this.options.fault.fault : undefined;
    const write = async (line: string) => {
      await this.options.hole();
      if (!to.destroyed) to.write(`${line}\n`);
    };
    const watch: Watch = { from, to, write, held: new Map(), events: 0 };
    try {
      for await (const line of createInterface({ input: from })) {
        const faulty = this.begun && fault !== undefined && fault !== 'stale-list' && !isBookmark(line);
        if (!faulty) await write(line);
        else if ((await this.passEvent(fault, line, watch)) === 'End') break;
      }
    } catch {
      // Cut off by one side: the other is cut off below.
    } finally {
      for (const timer of watch.held.values()) clearTimeout(timer);
      from.destroy();
    }
    to.end();
  }

  private async passEvent(
    fault: Exclude<WatchFault, 'stale-list'>,
    line: string,
    watch: Watch,
  ): Promise<'GoOn' | 'End'> {
    watch.events += 1;
    const early = watch.events <= EVENTS_BEFORE;
    switch (fault) {
      case 'hide':
        await this.hide(line, watch);
        return 'GoOn';
      case 'repeat':
        await this.repeat(line, watch);
        return 'GoOn';
      case 'silent':
        if (!early) await this.goSilent(watch);
        else await watch.write(line);
        return early ? 'GoOn' : 'End';
      case 'gone':
        if (early || this.timesGone >= TIMES_GONE) {
          await watch.write(line);
          return 'GoOn';
        }
        this.timesGone += 1;
        this.options.faulted();
        await watch.write(`{"type":"ERROR","object":${statusBody(410, 'Expired', 'too old resource version')}}`);
        return 'End';
    }
  }

  private async hide(line: string, { held, write }: Watch): Promise<void> {
    this.options.faulted();
    const key = objectOf(line);
    const before = held.get(key);
    if (before) {
      // The one before is never seen; this one cancels it.
      clearTimeout(before);
      held.delete(key);
      await write(line);
      return;
    }
    const timer = setTimeout(() => {
      held.delete(key);
      this.options.faulted();
      void write(line);
    }, HIDE_MILLISECONDS);
    held.set(key, timer);
  }

  private async repeat(line: string, watch: Watch): Promise<void> {
    this.options.faulted();
    await watch.write(line);
    await watch.write(line);
    if (watch.previous !== undefined) {
      await delay(REPEAT_MILLISECONDS);
      await watch.write(watch.previous);
    }
    watch.previous = line;
  }

  /** The fault lasts until the operator gives the watch up. */
  private async goSilent({ from, to }: Watch): Promise<void> {
    const beat = setInterval(() => this.options.faulted(), 1000);
    from.resume();
    await new Promise((resolve) => to.once('close', resolve));
    clearInterval(beat);
    this.options.faulted();
    // Later watches are well, and so is the run.
    this.options.fault = undefined;
  }
}

function isBookmark(line: string): boolean {
  return line.startsWith('{"type":"BOOKMARK"');
}

function objectOf(line: string): string {
  const { object } = JSON.parse(line) as { object: { metadata: { uid?: string; name: string } } };
  return object.metadata.uid ?? object.metadata.name;
}
