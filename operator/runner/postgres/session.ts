import pg from 'pg';
import { ConnectionLost, StepFailure, Unreachable } from '../core/failure.ts';
import { messageOf } from '../../kube/message-of.ts';
import { redact } from '../../kube/redact.ts';
import type { DatabaseAddress } from './url.ts';

/** Every value as PostgreSQL itself writes it: figures are compared as text. */
const asText = { getTypeParser: () => (value: string) => value } as unknown as pg.CustomTypesConfig;

const CONNECT_TIMEOUT_MS = 5000;
/** How soon the server notices that its client died in the middle of a statement; else the statement runs on. */
const CLIENT_CHECK_INTERVAL = '500ms';
/** Behind the fence nobody else holds locks; whoever does after this is named by PostgreSQL's own message. */
const LOCK_TIMEOUT = '30s';

/**
 * Pinned against ALTER DATABASE … SET and ALTER ROLE … SET, which could forge a check's answer. `search_path` has
 * pg_catalog in front without naming it, so that it comes first in every look-up while CREATE TABLE still goes to
 * public; pg_temp is named last, because unnamed it would come before everything.
 */
const SETTINGS = `
SET search_path = public, pg_temp;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SET default_transaction_isolation = 'read committed';
SET default_transaction_read_only = off;
SET default_transaction_deferrable = off;
SET statement_timeout = 0;
SET lock_timeout = '${LOCK_TIMEOUT}';
SET idle_in_transaction_session_timeout = 0;
SELECT pg_catalog.set_config(name, '0', false)
FROM (VALUES ('idle_session_timeout'), ('transaction_timeout')) AS of_later_versions (name)
WHERE pg_catalog.current_setting(name, true) IS NOT NULL;
SET synchronous_commit = on;
SET check_function_bodies = on;
SHOW server_version_num`;

/** Ended by somebody, by a shutdown, by a crash, or by a time limit: idle, idle in a transaction, of a transaction. */
const LAST_WORDS = new Set(['57P01', '57P02', '57P03', '57P05', '25P03', '25P04']);

export type Row = Record<string, string | null>;
export type Notice = { severity: string; message: string };

/**
 * One dedicated connection. Never reconnects: what was lost with it (locks, a transaction, the knowledge whether a
 * COMMIT arrived) must be found out anew. Every value comes as text.
 */
export class Session {
  readonly database: string;
  readonly pid: number;
  /** server_version_num: 150018 for 15.18. */
  readonly version: number;
  /** Told of every NOTICE and WARNING; replaced by whoever wants to collect them. */
  onNotice: (notice: Notice) => void = () => undefined;
  readonly #client: pg.Client;
  #lost: string | undefined;
  #onLost: ((why: string) => void) | undefined;

  private constructor(client: pg.Client, database: string, identity: { pid: number; version: number }) {
    this.#client = client;
    this.database = database;
    this.pid = identity.pid;
    this.version = identity.version;
    client.on('error', (error) => this.#markLost(error.message));
    client.on('end', () => this.#markLost('the connection was closed'));
    client.on('notice', (notice) =>
      this.onNotice({ severity: notice.severity ?? 'NOTICE', message: notice.message ?? '' }),
    );
  }

  /**
   * Connects and pins the session's settings.
   *
   * @throws StepFailure when the server refuses for a reason that only people can change
   * @throws Unreachable when it is worth trying again
   */
  static async open(address: DatabaseAddress, database: string, application: string): Promise<Session> {
    const { host, port, user, password, ssl } = address;
    const client = new pg.Client({
      ...{ host, port, user, password, ssl, database, types: asText },
      application_name: application,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      keepAlive: true,
      keepAliveInitialDelayMillis: 5000,
    });
    client.on('error', () => undefined);
    try {
      await client.connect();
      const pid = Number((await client.query<Row>('SELECT pg_catalog.pg_backend_pid() AS pid')).rows[0]?.['pid']);
      // Before anything is set: behind a pooler the settings would go to whoever is given that session next.
      if ((client as unknown as { processID?: number }).processID !== pid) throw pooled(address);
      const answers = (await client.query(SETTINGS)) as unknown as pg.QueryResult<Row>[];
      const version = Number(answers.at(-1)?.rows[0]?.['server_version_num']);
      if (version >= 140_000)
        await client
          .query(`SET client_connection_check_interval = '${CLIENT_CHECK_INTERVAL}'`)
          .catch(ignoreUnsupported);
      return new Session(client, database, { pid, version });
    } catch (error) {
      destroy(client);
      throw explainConnect(error, address, database);
    }
  }

  /** Major version of the server. */
  get major(): number {
    return Math.floor(this.version / 10_000);
  }

  /** Calls back once when the connection is gone, whoever ended it. */
  whenLost(callback: (why: string) => void): void {
    if (this.#lost === undefined) this.#onLost = callback;
    else callback(this.#lost);
  }

  /**
   * Runs SQL. Without values several statements are allowed; with values exactly one.
   *
   * @throws pg.DatabaseError what the server refused
   * @throws ConnectionLost
   */
  async query(text: string, values?: unknown[]): Promise<Row[]> {
    const result = await this.#run(() => this.#client.query<Row>(values ? { text, values } : { text }));
    // Several statements have several results; the last one is what was asked for.
    const last = Array.isArray(result) ? (result as pg.QueryResult<Row>[]).at(-1) : result;
    return last?.rows ?? [];
  }

  /** Runs one statement and says which command the server carried out: COMMIT of a failed transaction is a ROLLBACK. */
  async command(text: string): Promise<string> {
    const result = await this.#run(() => this.#client.query(text));
    return result.command;
  }

  /** The only row of a query that has exactly one. */
  async one(text: string, values: unknown[] = []): Promise<Row> {
    const rows = await this.query(text, values);
    if (rows.length !== 1) throw new Error(`${rows.length} rows instead of one: ${text}`);
    return rows[0]!;
  }

  /**
   * Asks one query and hands its rows over one by one, so that not all of them need be in memory. Refuses several
   * statements in one text, which could end the transaction that it runs in.
   */
  async each(text: string, onRow: (row: (string | null)[]) => void): Promise<string[]> {
    const query = new pg.Query({ text, rowMode: 'array', queryMode: 'extended', types: asText } as pg.QueryConfig);
    const done = new Promise<string[]>((resolve, reject) => {
      query.on('row', (row) => onRow(row as unknown as (string | null)[]));
      query.on('error', reject);
      query.on('end', (result) => resolve(result.fields.map((field) => field.name)));
    });
    return this.#run(() => {
      this.#client.query(query);
      return done;
    });
  }

  async #run<T>(send: () => Promise<T>): Promise<T> {
    if (this.#lost !== undefined) throw new ConnectionLost(this.#describeLoss());
    try {
      return await send();
    } catch (error) {
      if (!(await this.#isLoss(error))) throw error;
      this.#markLost(messageOf(error));
      throw new ConnectionLost(this.#describeLoss());
    }
  }

  /**
   * The session is gone: told by its end, or by the server's last words. Class 08 may also be an answer: to a query
   * without its values, say, or of another server that this one asked. After an answer it still listens, whatever
   * became of the transaction.
   */
  async #isLoss(error: unknown): Promise<boolean> {
    const state = sqlState(error);
    if (state === undefined)
      return error instanceof Error && /connection|ECONN|EPIPE|ETIMEDOUT|socket|not queryable/i.test(error.message);
    if (!state.startsWith('08')) return LAST_WORDS.has(state);
    return this.#client.query('').then(
      () => false,
      () => true,
    );
  }

  #describeLoss(): string {
    return `the connection to database "${this.database}" was lost: ${this.#lost ?? 'unknown'}`;
  }

  #markLost(why: string): void {
    if (this.#lost !== undefined) return;
    this.#lost = why;
    this.#onLost?.(why);
  }

  /** A query of a migration module: values as pg gives them by default, and what pg tells of them. */
  async forModule(
    text: string,
    values?: unknown[],
  ): Promise<{ rows: unknown[]; rowCount: number | null; command: string }> {
    const types = pg.types as unknown as pg.CustomTypesConfig;
    const { rows, rowCount, command } = await this.#run(() =>
      this.#client.query<Record<string, unknown>>({ text, types, ...(values ? { values } : {}) }),
    );
    return { rows, rowCount, command };
  }

  /** Pins the settings anew: a migration may have changed them. */
  async pin(): Promise<void> {
    await this.query(`RESET SESSION AUTHORIZATION; RESET ROLE; ${SETTINGS}`);
  }

  /** Says good-bye to the server and waits for the connection to be closed. */
  async close(): Promise<void> {
    await this.#client.end().catch(() => undefined);
  }

  /** Cuts the connection at once, in the middle of whatever it does. */
  destroy(): void {
    this.#markLost('it was cut by this runner');
    destroy(this.#client);
  }
}

function destroy(client: pg.Client): void {
  const { connection } = client as unknown as { connection?: { stream?: { destroy(): void } } };
  connection?.stream?.destroy();
}

function ignoreUnsupported(error: unknown): void {
  // Not every operating system can tell that a peer has gone; then the next start of the runner ends the session.
  if (!(error instanceof pg.DatabaseError)) throw error;
}

/** The SQLSTATE of an error that the server sent. */
export function sqlState(error: unknown): string | undefined {
  return error instanceof pg.DatabaseError ? error.code : undefined;
}

/** PostgreSQL's own message with its detail, hint and place, one after the other. */
export function describeDatabaseError(error: unknown): string {
  if (!(error instanceof pg.DatabaseError)) return redact(messageOf(error));
  const parts = [
    `${error.message} (SQLSTATE ${error.code})`,
    // The server tells the cause to its log only (RequestCheckpoint in checkpointer.c).
    error.message === 'checkpoint request failed' &&
      'The server could not write to its disk, most often because the disk is full: see how much room it has',
    error.detail && `Detail: ${error.detail}`,
    error.hint && `Hint: ${error.hint}`,
    error.where && `Where: ${error.where.split('\n')[0]}`,
  ];
  return redact(parts.filter(Boolean).join('. '));
}

/** The process that answers is not the one that the connection was opened to. */
function pooled(address: DatabaseAddress): StepFailure {
  return new StepFailure(
    'TransactionPooler',
    `${address.host}:${address.port} is a connection pooler: sessions are not the runner’s own there; give the Secret the URL of the server itself`,
  );
}

function explainConnect(error: unknown, address: DatabaseAddress, database: string): Error {
  if (error instanceof StepFailure) return error;
  const where = `"${database}" on ${address.host}:${address.port}`;
  const state = sqlState(error);
  if (state === '28P01')
    return new StepFailure(
      'AuthenticationFailed',
      `PostgreSQL refused the password of role "${address.user}" for database ${where}; correct the Secret's URL`,
    );
  if (state === '28000')
    return new StepFailure(
      'AuthenticationFailed',
      `PostgreSQL does not let role "${address.user}" into database ${where}: ${messageOf(error)}; correct the Secret's URL, the role or pg_hba.conf`,
    );
  if (state === '3D000')
    return new StepFailure(
      'DatabaseNotFound',
      `database ${where} does not exist; correct the Secret's URL or create it`,
    );
  if (state === '42501')
    return new StepFailure(
      'InsufficientPrivilege',
      `role "${address.user}" may not connect to database ${where}: GRANT CONNECT ON DATABASE "${database}" TO "${address.user}"`,
    );
  if (state === '08P01' && /startup parameter/.test(messageOf(error)))
    return new StepFailure(
      'TransactionPooler',
      `${where} is a connection pooler that refused the connection (${messageOf(error)}); give the Secret the URL of the server itself`,
    );
  return new Unreachable(redact(`cannot reach database ${where}: ${messageOf(error)}`));
}
