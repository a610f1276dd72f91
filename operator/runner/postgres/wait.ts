import { setTimeout as delay } from 'node:timers/promises';

const FIRST_PAUSE_MS = 2;
const LONGEST_PAUSE_MS = 100;

/**
 * Looks again and again, at first every few milliseconds, until the condition holds.
 *
 * @throws Error naming what was waited for, after the time is over
 */
export async function until(timeoutMs: number, what: string, condition: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (let pause = FIRST_PAUSE_MS; !(await condition()); pause = Math.min(pause * 1.5, LONGEST_PAUSE_MS)) {
    if (performance.now() > deadline) throw new Error(`waited ${timeoutMs / 1000} s in vain for ${what}`);
    await delay(pause);
  }
}
