import type { Surroundings } from './gather/surroundings.ts';

/** So long after a quick look that led to nothing a current one follows. */
const CONFIRM_MILLISECONDS = 1000;

/**
 * Which runs may be looked at quickly, with lists as some API server remembers them. Of several API servers one may
 * lag behind the one whose watch woke the run: what a quick look missed no further event would tell. So one that leads
 * to nothing is followed by a current one, at a time when nothing waits for it.
 */
export class QuickLooks {
  private readonly now: () => number;
  /** Of the runs that go on, by key. */
  private readonly surroundings = new Map<string, Surroundings>();
  private readonly due = new Map<string, number>();

  /** @param now milliseconds that never run backwards */
  constructor(now: () => number = () => performance.now()) {
    this.now = now;
  }

  /** What is around a run; undefined: it must be looked at as it is now. */
  known(key: string): Surroundings | undefined {
    const due = this.due.get(key);
    return due !== undefined && this.now() >= due ? undefined : this.surroundings.get(key);
  }

  remember(key: string, surroundings: Surroundings): void {
    this.surroundings.set(key, surroundings);
  }

  forget(key: string): void {
    this.surroundings.delete(key);
    this.due.delete(key);
  }

  /** Nothing was to be done. Returns after how many milliseconds to look again; undefined: what was seen is current. */
  foundNothing(key: string, wasQuick: boolean): number | undefined {
    if (!wasQuick) {
      this.due.delete(key);
      return undefined;
    }
    this.due.set(key, this.now() + CONFIRM_MILLISECONDS);
    return CONFIRM_MILLISECONDS;
  }
}
