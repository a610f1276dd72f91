import { lockKey } from '../core/names.ts';
import type { Session } from './session.ts';

/** What a run keeps for itself: its database, and the roles that its fence sets NOLOGIN. */
export interface Claim {
  database: string;
  roles: string[];
}

interface Held {
  what: string;
  key: string;
}

/** Always in the same order, so that two runs never wait for each other. */
function locksOf(claim: Claim): Held[] {
  const roles = [...new Set(claim.roles)].sort();
  return [
    { what: `Database "${claim.database}"`, key: lockKey('database', claim.database) },
    ...roles.map((role) => ({ what: `Role "${role}"`, key: lockKey('role', role) })),
  ];
}

/**
 * Tries once to take the run's advisory locks on the maintenance session: all or none. Never waits in
 * pg_advisory_lock(), which would deadlock with the other run's CREATE INDEX CONCURRENTLY.
 *
 * Advisory locks belong to one database; pg_locks shows those of all. A run that was given another maintenance database
 * is therefore seen too.
 *
 * @returns undefined when they are held, else who holds one, for people
 */
export async function tryLock(session: Session, claim: Claim): Promise<string | undefined> {
  const taken: Held[] = [];
  for (const lock of locksOf(claim)) {
    const { got } = await session.one('SELECT pg_catalog.pg_try_advisory_lock($1::int8) AS got', [lock.key]);
    if (got === 't') taken.push(lock);
    const other = await holderOf(session, lock);
    if (got === 't' && other === undefined) continue;
    for (const { key } of taken) await session.query('SELECT pg_catalog.pg_advisory_unlock($1::int8)', [key]);
    return `${lock.what} is being worked on by ${other ?? 'somebody who ended just now'}`;
  }
  return undefined;
}

async function holderOf(session: Session, lock: Held): Promise<string | undefined> {
  const [holder] = await session.query(
    `SELECT l.pid, a.application_name, a.usename::text AS usename, pg_catalog.host(a.client_addr) AS address, l.database::text AS database
     FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid OPERATOR(pg_catalog.=) l.pid
     WHERE ${matching('$1')} AND l.pid OPERATOR(pg_catalog.<>) pg_catalog.pg_backend_pid()`,
    [lock.key],
  );
  if (!holder) return undefined;
  const application = holder['application_name']
    ? `"${holder['application_name']}"`
    : 'a session without application_name';
  const address = holder['address'] ? ` from ${holder['address']}` : '';
  return `${application} (role "${holder['usename'] ?? '?'}"${address}, pid ${holder['pid']})`;
}

/** pg_locks shows a 64-bit key as two unsigned halves. */
function matching(parameter: string): string {
  return `l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
    AND ((l.classid::int8 << 32) | l.objid::int8) = ${parameter}::int8`;
}

/**
 * Whether that session still holds the lock on the database, asked from any other session. Asked right before COMMIT:
 * a runner whose lock went to somebody else must not commit.
 */
export async function holdsLock(asked: Session, holderPid: number, database: string): Promise<boolean> {
  const rows = await asked.query(
    `SELECT 1 FROM pg_catalog.pg_locks l WHERE ${matching('$1')} AND l.pid OPERATOR(pg_catalog.=) $2::int4`,
    [lockKey('database', database), holderPid],
  );
  return rows.length > 0;
}
