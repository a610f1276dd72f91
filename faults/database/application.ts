import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import type { Scenario } from '../../operator/runner/testing/scenario.ts';

/** Which of its two versions; each works on one of the two schemas only. */
export type Version = 'Old' | 'New';

const COLUMN: Record<Version, string> = { Old: 'amount', New: 'price' };
/** What no version of the application may ever hear: a table or a column that it was made for is not there. */
const WRONG_SCHEMA = ['42P01', '42703'];

const WRITE_EVERY_MILLISECONDS = 25;
const CONNECT_AGAIN_MILLISECONDS = 40;
/** So many acknowledged rows say that it works. */
const WORKS_AFTER = 3;
const START_TIMEOUT_MILLISECONDS = 60_000;

/** Rows of the application; those that were there before have smaller numbers. */
export const FIRST_ROW = 1000;

interface Instance {
  version: Version;
  /** It was told to stop: it writes on for as long as its session lasts, and then it is gone. */
  isLingering: boolean;
  hasEnded: boolean;
  acknowledged: number;
  client?: pg.Client;
  gone: Promise<void>;
}

/**
 * Plays the application: writes numbered rows all the time in the client's role, on a way of its own, and keeps the
 * numbers of those that were acknowledged.
 */
export class Application {
  readonly acknowledged: number[] = [];
  /** The number of the last row that was sent. */
  last = FIRST_ROW - 1;
  /** Promises that were broken. */
  readonly broken = new Set<string>();
  readonly #scenario: Scenario;
  readonly #user: string;
  #instance: Instance | undefined;

  constructor(scenario: Scenario, user: string) {
    this.#scenario = scenario;
    this.#user = user;
  }

  /**
   * Starts a version in the place of the other one; resolves when it works.
   *
   * @throws Error when it has not worked for a minute
   */
  async start(version: Version): Promise<void> {
    await this.end();
    const instance: Instance = {
      ...{ version, isLingering: false, hasEnded: false, acknowledged: 0 },
      gone: Promise.resolve(),
    };
    this.#instance = instance;
    instance.gone = this.#work(instance);
    const deadline = Date.now() + START_TIMEOUT_MILLISECONDS;
    while (instance.acknowledged < WORKS_AFTER && !instance.hasEnded) {
      if (Date.now() > deadline) throw new Error(`the ${version} version of the application could not write a row`);
      await delay(5);
    }
  }

  /** It is told to stop, and does not until its session is ended. */
  linger(): void {
    if (this.#instance) this.#instance.isLingering = true;
  }

  /** Ends it at once. */
  async end(): Promise<void> {
    const instance = this.#instance;
    if (!instance) return;
    instance.hasEnded = true;
    destroy(instance.client);
    await instance.gone;
  }

  async #work(instance: Instance): Promise<void> {
    while (!instance.hasEnded) {
      const client = await this.#connect();
      if (client) {
        instance.client = client;
        await this.#write(instance, client);
        destroy(client);
        if (instance.isLingering) return;
      }
      await delay(CONNECT_AGAIN_MILLISECONDS);
    }
  }

  async #connect(): Promise<pg.Client | undefined> {
    const { host, port } = this.#scenario.server;
    const client = new pg.Client({
      ...{ host, port, user: this.#user, database: this.#scenario.database },
      ...{ application_name: 'application', connectionTimeoutMillis: 5000 },
    });
    client.on('error', () => undefined);
    try {
      await client.connect();
      return client;
    } catch {
      // Refused, or the server is not there.
      destroy(client);
      return undefined;
    }
  }

  async #write(instance: Instance, client: pg.Client): Promise<void> {
    let isConnected = true;
    client.on('end', () => (isConnected = false));
    while (isConnected && !instance.hasEnded) {
      const row = ++this.last;
      try {
        await client.query(`INSERT INTO public.item (id, ${COLUMN[instance.version]}) VALUES ($1, 1)`, [row]);
        this.acknowledged.push(row);
        instance.acknowledged += 1;
      } catch (error) {
        this.#judge(instance, error);
        if (!(error instanceof pg.DatabaseError)) return;
      }
      await delay(WRITE_EVERY_MILLISECONDS);
    }
  }

  #judge({ version }: Instance, error: unknown): void {
    if (error instanceof pg.DatabaseError && WRONG_SCHEMA.includes(error.code ?? ''))
      this.broken.add(`the ${version} version of the application met the other schema: ${error.message}`);
  }
}

/** Cuts a connection at once. */
export function destroy(client: pg.Client | undefined): void {
  (client as unknown as { connection?: { stream?: { destroy(): void } } })?.connection?.stream?.destroy();
}
