import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import type { Scenario } from '../../operator/runner/testing/scenario.ts';
import { destroy } from './application.ts';

const KNOCK_EVERY_MILLISECONDS = 300;

/**
 * Somebody who tries all the time to log in as a client. It must never get in while the runner says that the fence is
 * up.
 */
export class Stranger {
  readonly broken = new Set<string>();
  readonly #scenario: Scenario;
  readonly #user: string;
  #hasEnded = false;
  #gone: Promise<void> = Promise.resolve();

  constructor(scenario: Scenario, user: string) {
    this.#scenario = scenario;
    this.#user = user;
  }

  start(): void {
    this.#gone = this.#knock();
  }

  async end(): Promise<void> {
    this.#hasEnded = true;
    await this.#gone;
  }

  async #knock(): Promise<void> {
    const { memory } = this.#scenario;
    while (!this.#hasEnded) {
      const before = memory.history.length;
      const wasRaised = memory.runner.fence?.state === 'Raised';
      const gotIn = await this.#logIn();
      const since = memory.history.slice(before);
      // That it is about to be lifted is reported before it is.
      if (gotIn && wasRaised && since.every(({ fence }) => fence?.state === 'Raised'))
        this.broken.add('a client could log in while the runner said that the fence is up');
      await delay(KNOCK_EVERY_MILLISECONDS);
    }
  }

  async #logIn(): Promise<boolean> {
    const { host, port } = this.#scenario.server;
    const client = new pg.Client({
      ...{ host, port, user: this.#user, database: this.#scenario.database },
      ...{ application_name: 'stranger', connectionTimeoutMillis: 2000 },
    });
    client.on('error', () => undefined);
    try {
      await client.connect();
      return true;
    } catch {
      return false;
    } finally {
      destroy(client);
    }
  }
}
