import { identifier } from './identifiers.ts';
import { clientsOf, type Backend } from './sessions.ts';
import { sqlState, type Session } from './session.ts';
import { setTimeout as delay } from 'node:timers/promises';

/** What refuses new sessions, and what was before. */
export interface Fence {
  mode: 'RolesNoLogin' | 'ConnectionLimit';
  /** RolesNoLogin: roles that were LOGIN before. */
  roles?: string[];
  /** ConnectionLimit: the limit before. */
  connectionLimit?: number;
}

/** What the fence will be and what it must be undone to; read before anything is changed. */
export async function planFence(session: Session, database: string, clientRoles: string[]): Promise<Fence> {
  if (clientRoles.length > 0) {
    const rows = await session.query(
      'SELECT rolname::text AS rolname FROM pg_catalog.pg_roles WHERE rolcanlogin AND rolname::text = ANY ($1::text[]) ORDER BY 1',
      [clientRoles],
    );
    return { mode: 'RolesNoLogin', roles: rows.map((row) => row['rolname']!) };
  }
  const row = await session.one('SELECT datconnlimit FROM pg_catalog.pg_database WHERE datname = $1', [database]);
  return { mode: 'ConnectionLimit', connectionLimit: Number(row['datconnlimit']) };
}

/** From its return on the server refuses new sessions of clients. Doing it again changes nothing. */
export async function refuseNewSessions(session: Session, database: string, fence: Fence): Promise<void> {
  const statements =
    fence.mode === 'RolesNoLogin'
      ? (fence.roles ?? []).map((role) => `ALTER ROLE ${identifier(role)} NOLOGIN`)
      : [`ALTER DATABASE ${identifier(database)} CONNECTION LIMIT 0`];
  if (statements.length > 0) await session.query(statements.join(';'));
}

/** Lets clients in again, exactly as before. */
export async function admitSessions(session: Session, database: string, fence: Fence): Promise<void> {
  const statements =
    fence.mode === 'RolesNoLogin'
      ? (fence.roles ?? []).map((role) => `ALTER ROLE ${identifier(role)} LOGIN`)
      : [`ALTER DATABASE ${identifier(database)} CONNECTION LIMIT ${fence.connectionLimit ?? -1}`];
  if (statements.length > 0) await session.query(statements.join(';'));
}

/** Whether somebody let clients in since the fence was raised. */
export async function fenceHolds(session: Session, database: string, fence: Fence): Promise<boolean> {
  const now = await planFence(session, database, fence.mode === 'RolesNoLogin' ? (fence.roles ?? []) : []);
  if (fence.mode === 'RolesNoLogin') return (fence.roles ?? []).length === 0 || now.roles?.length === 0;
  return now.connectionLimit === 0;
}

/** Sessions may pass the log-in check just before it is changed and appear a moment later: so it is looked twice. */
const SECOND_LOOK_MS = 10;
const LOOK_EVERY_MS = 4;

export interface Cleared {
  /** Sessions that went. */
  ended: Backend[];
  /** Sessions that did not go. */
  stayed: Backend[];
  /** Those that the server did not let us end. */
  refused: Map<number, string>;
}

/**
 * Ends every client session on the database and looks until two looks in a row find none.
 *
 * @param own backend process ids to let be
 */
export async function endClients(
  session: Session,
  database: string,
  options: { own: () => number[]; timeoutMs: number },
): Promise<Cleared> {
  const deadline = performance.now() + options.timeoutMs;
  const seen = new Map<number, Backend>();
  const refused = new Map<number, string>();
  let emptyLooks = 0;
  for (;;) {
    const stayed = await clientsOf(session, database, options.own());
    if (stayed.length === 0) {
      if (++emptyLooks === 2) return { ended: [...seen.values()], stayed, refused };
      await delay(SECOND_LOOK_MS);
      continue;
    }
    emptyLooks = 0;
    const unasked = stayed.filter(({ pid }) => !seen.has(pid));
    await terminate(
      session,
      unasked.map(({ pid }) => pid),
      refused,
    );
    for (const backend of stayed) seen.set(backend.pid, backend);
    if (performance.now() > deadline)
      return { ended: [...seen.values()].filter((one) => !isAmong(one, stayed)), stayed, refused };
    await delay(LOOK_EVERY_MS);
  }
}

function isAmong({ pid }: Backend, others: Backend[]): boolean {
  return others.some((other) => other.pid === pid);
}

/** All in one question where the server allows all of them, else one by one. */
async function terminate(session: Session, pids: number[], refused: Map<number, string>): Promise<void> {
  if (pids.length === 0) return;
  try {
    await session.query('SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.unnest($1::int4[]) AS pid', [
      pids,
    ]);
  } catch (error) {
    if (sqlState(error) !== '42501') throw error;
    if (pids.length === 1) refused.set(pids[0]!, (error as Error).message);
    else for (const pid of pids) await terminate(session, [pid], refused);
  }
}
