import { applicationName, epochOf, type RunIdentity } from '../core/names.ts';
import { ConnectionLost, Interrupted, StepFailure, Superseded } from '../core/failure.ts';
import { holdsLock } from './lock.ts';
import { until } from './wait.ts';
import { Session } from './session.ts';
import type { DatabaseAddress } from './url.ts';

/** How long an ended session may take to disappear. */
const GONE_TIMEOUT_MS = 60_000;

/** All sessions of one start of a runner: the only ones that a fence lets be. */
export class Sessions {
  readonly address: DatabaseAddress;
  readonly application: string;
  readonly #open = new Set<Session>();
  readonly #onLost: (why: string) => void;
  #hasOpened = false;
  #isEnded = false;
  #lockPid: number | undefined;

  constructor(address: DatabaseAddress, application: string, onLost: (why: string) => void) {
    this.address = address;
    this.application = application;
    this.#onLost = onLost;
  }

  /** From now on no session is opened without that one holding the lock on the database. */
  requireLock(lockPid: number): void {
    this.#lockPid = lockPid;
  }

  /**
   * Opens a session that is this start's own.
   *
   * A later start ends the sessions that it sees after it took the lock. One that appears later still (its client was
   * frozen while it connected) finds that the lock is another's, and is closed before anything is done with it.
   *
   * @throws ConnectionLost when the lock is lost, Interrupted when everything was cut meanwhile
   */
  async open(database: string): Promise<Session> {
    const session = await this.#connect(database);
    try {
      if (this.#lockPid !== undefined && !(await holdsLock(session, this.#lockPid, this.address.database)))
        throw new ConnectionLost(`the lock on database "${this.address.database}" is not held any more`);
      if (this.#isEnded) throw new Interrupted('everything was cut while a session was being opened');
    } catch (error) {
      session.destroy();
      throw error;
    }
    this.#hasOpened = true;
    this.#open.add(session);
    session.whenLost((why) => {
      if (this.#open.delete(session)) this.#onLost(why);
    });
    return session;
  }

  /** A password that was changed since the first session is not the step's failure: the next look reads it anew. */
  async #connect(database: string): Promise<Session> {
    try {
      return await Session.open(this.address, database, this.application);
    } catch (error) {
      const isChanged = this.#hasOpened && error instanceof StepFailure && error.reason === 'AuthenticationFailed';
      throw isChanged ? new Interrupted(error.message, { cause: error }) : error;
    }
  }

  /** Backend process ids of the open sessions. */
  pids(): number[] {
    return [...this.#open].map((session) => session.pid);
  }

  /** Closes one session and waits until the server has let it go too: a clone needs a database without any. */
  async close(session: Session, observer: Session): Promise<void> {
    this.#open.delete(session);
    await session.close();
    await until(GONE_TIMEOUT_MS, `the end of session ${session.pid}`, async () => {
      const rows = await observer.query('SELECT 1 FROM pg_catalog.pg_stat_activity WHERE pid = $1', [session.pid]);
      return rows.length === 0;
    });
  }

  /** Cuts every connection at once. */
  destroyAll(): void {
    this.#isEnded = true;
    for (const session of [...this.#open]) {
      this.#open.delete(session);
      session.destroy();
    }
  }
}

/** A session as pg_stat_activity shows it to any role. */
export interface Backend {
  pid: number;
  user: string;
  application: string;
  /** Only pg_read_all_stats shows the address of other roles’ sessions. */
  address: string | undefined;
}

/** `application_name` from address as role, for people. */
export function describeBackend(backend: Backend): string {
  const application = backend.application === '' ? 'without application_name' : `"${backend.application}"`;
  return `${application} as role "${backend.user}" from ${backend.address ?? 'an address that only pg_read_all_stats may see'} (pid ${backend.pid})`;
}

/**
 * Client sessions on a database except our own. Told by `usesysid`, never by `backend_type` or `state`: those are NULL
 * for other roles' sessions without pg_read_all_stats, and a comparison with NULL would count nobody.
 */
export async function clientsOf(session: Session, database: string, except: number[]): Promise<Backend[]> {
  const rows = await session.query(
    `SELECT pid, usename::text AS usename, application_name, pg_catalog.host(client_addr) AS address
     FROM pg_catalog.pg_stat_activity
     WHERE datname OPERATOR(pg_catalog.=) $1 AND usesysid IS NOT NULL AND NOT (pid OPERATOR(pg_catalog.=) ANY ($2::int4[]))
     ORDER BY pid`,
    [database, except],
  );
  return rows.map((row) => ({
    pid: Number(row['pid']),
    user: row['usename'] ?? '?',
    application: row['application_name'] ?? '',
    address: row['address'] ?? undefined,
  }));
}

/**
 * Ends sessions of earlier starts of this run (and what an earlier connection of this one left behind), and waits until
 * they are gone: a dead client's statement runs on, and may still commit.
 *
 * @throws Superseded when a newer start of the run is at work
 */
export async function endPredecessors(
  session: Session,
  run: RunIdentity,
  own: { epoch: number; pids: number[] },
): Promise<number> {
  const ended = new Set<string>();
  await until(GONE_TIMEOUT_MS, 'the end of sessions of earlier starts of this run', async () => {
    const rows = await session.query(
      `SELECT pid, application_name FROM pg_catalog.pg_stat_activity
       WHERE usename OPERATOR(pg_catalog.=) CURRENT_USER AND application_name LIKE 'phasemigration %'
         AND NOT (pid OPERATOR(pg_catalog.=) ANY ($1::int4[]))`,
      [own.pids],
    );
    const predecessors = rows.filter((row) => {
      const epoch = epochOf(run, row['application_name'] ?? null);
      if (epoch !== undefined && epoch > own.epoch)
        throw new Superseded(`start ${epoch} of the runner works on this run; this is start ${own.epoch}`);
      return epoch !== undefined;
    });
    for (const { pid } of predecessors) {
      ended.add(pid!);
      await session.query('SELECT pg_catalog.pg_terminate_backend($1::int4)', [pid]);
    }
    return predecessors.length === 0;
  });
  return ended.size;
}

export function identityOf(run: RunIdentity, epoch: number): string {
  return applicationName(run, epoch);
}
