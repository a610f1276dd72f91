import { setTimeout as delay } from 'node:timers/promises';
import { backoffDelay } from '../kube/timing.ts';
import { Interrupted, Unreachable } from './core/failure.ts';
import type { RunIdentity } from './core/names.ts';
import { databaseExists, renameDatabases } from './postgres/clone.ts';
import { identifier } from './postgres/identifiers.ts';
import { tryLock, warningOf, type Claim, type Refusal } from './postgres/lock.ts';
import { endClients } from './postgres/fence.ts';
import { endPredecessors, type Sessions } from './postgres/sessions.ts';
import type { Session } from './postgres/session.ts';
import type { Reporter } from './reporter.ts';
import type { Work } from './work.ts';
import { StepFailure } from './core/failure.ts';

const RETRY = { baseMilliseconds: 100, capMilliseconds: 3000 };
const LOCK_POLL_MS = 300;
/** Who is waited for is told anew when that changes, and because of its heartbeat alone no more often than this. */
const HEARTBEAT_TOLD_EVERY_MS = 60_000;

export interface EstablishOptions {
  run: RunIdentity;
  epoch: number;
  sessions: Sessions;
  reporter: Reporter;
  maintenanceDatabase: string;
  claim: Claim;
  signal: AbortSignal;
  /** Called again and again while it has to wait, with the reason in a sentence unless that has been told. */
  onWaiting: (reason: 'DatabaseUnreachable' | 'WaitingForLock', message: string | undefined) => void;
}

/**
 * Connects to the maintenance database, ends what earlier starts of this run left behind, and takes the run's lock.
 * From its return on nobody else works on the database.
 *
 * @returns the session that holds the lock, and what people should know of who held it before
 * @throws StepFailure when the server refuses for a reason that only people can change
 */
export async function establish(options: EstablishOptions): Promise<{ maintenance: Session; warning?: string }> {
  const { run, epoch, sessions, signal, claim } = options;
  const session = await retryConnect(options, options.maintenanceDatabase);
  const own = { epoch, pids: sessions.pids() };
  const tell = teller(options);
  await endPredecessors(session, run, own);
  for (;;) {
    const taking = await tryLock(session, claim);
    if (taking.refusal) {
      tell(taking.refusal);
      // Two that see each other and step back must not meet again in step.
      await pause(LOCK_POLL_MS * (0.5 + Math.random()), signal);
      await endPredecessors(session, run, own);
      continue;
    }
    // Whoever passed its own check of the lock before we had it may still have been committing.
    await endPredecessors(session, run, own);
    const warning = warningOf(taking.earlier, claim);
    return { maintenance: session, ...(warning ? { warning } : {}) };
  }
}

function teller({ onWaiting }: EstablishOptions): (refusal: Refusal) => void {
  let told: { who: string; at: number } | undefined;
  return ({ who, message }) => {
    const isTold = told?.who === who && performance.now() - told.at < HEARTBEAT_TOLD_EVERY_MS;
    if (!isTold) told = { who, at: performance.now() };
    onWaiting('WaitingForLock', isTold ? undefined : message);
  };
}

/** Connects, and goes on trying while the database is not there. */
export async function retryConnect(
  { sessions, signal, onWaiting }: Pick<EstablishOptions, 'sessions' | 'signal' | 'onWaiting'>,
  database: string,
): Promise<Session> {
  for (let failures = 1; ; failures++) {
    try {
      return await sessions.open(database);
    } catch (error) {
      if (!(error instanceof Unreachable) || signal.aborted) throw error;
      onWaiting('DatabaseUnreachable', error.message);
      await pause(backoffDelay(RETRY, failures), signal);
    }
  }
}

export async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(milliseconds, undefined, { signal });
  } catch (error) {
    throw new Interrupted('the wait was interrupted', { cause: error });
  }
}

/** What the target database is called now: hidden from clients while CONNECTION LIMIT would keep the runner out too. */
export async function currentName(work: Work): Promise<string> {
  return (await databaseExists(work.maintenance, work.names.hidden)) ? work.names.hidden : work.names.target;
}

/**
 * The session on the target database, opened if there is none.
 *
 * Behind CONNECTION LIMIT 0 the server refuses the owner's new sessions too. Lifting the limit for a moment would let a
 * client slip in; so the database is given another name first, which no client knows, and gets its own back when the
 * fence is lifted.
 */
export async function openTarget(work: Work): Promise<Session> {
  if (work.target) return work.target;
  const { maintenance, names } = work;
  if (await isLockedOut(work)) {
    const cleared = await endClients(maintenance, names.target, { own: () => work.sessions.pids(), timeoutMs: 15_000 });
    if (cleared.stayed.length > 0) throw new StepFailure('FenceFailed', 'sessions of clients stayed on the database');
    await hide(work, names.target);
  }
  work.target = await work.sessions.open(await currentName(work));
  return work.target;
}

/** Gives a database the name that clients do not know, and lets sessions in by that name. */
export async function hide(work: Work, database: string): Promise<void> {
  const { hidden } = work.names;
  await renameDatabases(
    work.maintenance,
    [[database, hidden]],
    [`ALTER DATABASE ${identifier(hidden)} CONNECTION LIMIT -1`],
  );
}

async function isLockedOut({ maintenance, names, reporter }: Work): Promise<boolean> {
  if (reporter.status.fence?.mode !== 'ConnectionLimit') return false;
  const rows = await maintenance.query(
    `SELECT 1 FROM pg_catalog.pg_database d, pg_catalog.pg_roles r
     WHERE d.datname = $1 AND d.datconnlimit = 0 AND r.rolname = CURRENT_USER AND NOT r.rolsuper`,
    [names.target],
  );
  return rows.length > 0;
}

/** Closes the session on the target and waits until the server has let it go. */
export async function closeTarget(work: Work): Promise<void> {
  const { target } = work;
  if (!target) return;
  delete work.target;
  await work.sessions.close(target, work.maintenance);
}
