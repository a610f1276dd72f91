import { ConnectionLost } from '../core/failure.ts';
import { lockKey } from '../core/names.ts';
import { isLock } from './advisory-lock.ts';
import { describeHolder, isSame, readHolder, SILENCE_SECONDS, type Holder, type HolderRow } from './holder.ts';
import type { Session } from './session.ts';

/** What a run keeps for itself: its database, and the roles that its fence sets NOLOGIN. */
export interface Claim {
  database: string;
  roles: string[];
  holder: Holder;
}

/** Why the locks were not taken. */
export interface Refusal {
  /** Who has what, and since when, for people. */
  message: string;
  /** The same without the heartbeat, which changes every few seconds. */
  who: string;
}

/** The locks are held, and what an earlier holder left in the fixed place; or why they are not. */
export type Taking = { refusal: Refusal } | { refusal?: undefined; earlier?: HolderRow };

interface Wanted {
  what: string;
  key: string;
}

/** Always in the same order, so that two runs never wait for each other. */
function locksOf(claim: Claim): Wanted[] {
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
 */
export async function tryLock(session: Session, claim: Claim): Promise<Taking> {
  const taken: Wanted[] = [];
  const refuse = async (refusal: Refusal) => {
    for (const { key } of taken) await session.query('SELECT pg_catalog.pg_advisory_unlock($1::int8)', [key]);
    return { refusal };
  };
  for (const lock of locksOf(claim)) {
    const { got } = await session.one('SELECT pg_catalog.pg_try_advisory_lock($1::int8) AS got', [lock.key]);
    if (got === 't') taken.push(lock);
    const other = await otherHolder(session, lock.key);
    if (got !== 't' || other !== undefined) return refuse(await describeRefusal(session, lock, other));
  }
  const earlier = await readHolder(session, { database: claim.database });
  if (!earlier) return {};
  return mayComeBack(earlier, claim) ? refuse(waitFor(earlier, claim)) : { earlier };
}

interface OtherSession {
  pid: number;
  description: string;
}

async function otherHolder(session: Session, key: string): Promise<OtherSession | undefined> {
  const [holder] = await session.query(
    `SELECT l.pid, a.application_name, a.usename::text AS usename, pg_catalog.host(a.client_addr) AS address
     FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid OPERATOR(pg_catalog.=) l.pid
     WHERE ${isLock('$1')} AND l.pid OPERATOR(pg_catalog.<>) pg_catalog.pg_backend_pid()`,
    [key],
  );
  if (!holder) return undefined;
  const application = holder['application_name']
    ? `"${holder['application_name']}"`
    : 'a session without application_name';
  const address = holder['address'] ? ` from ${holder['address']}` : '';
  const description = `${application} (role "${holder['usename'] ?? '?'}"${address}, pid ${holder['pid']})`;
  return { pid: Number(holder['pid']), description };
}

async function describeRefusal(session: Session, { what }: Wanted, other: OtherSession | undefined): Promise<Refusal> {
  const is = `${what} is being worked on by`;
  if (!other) return { message: `${is} somebody who ended just now`, who: what };
  const row = await readHolder(session, { lockPid: other.pid });
  if (!row) return { message: `${is} ${other.description}`, who: `${what} ${other.description}` };
  const who = `${is} ${describeHolder(row)}`;
  return { who, message: `${who}, last heartbeat ${row.heartbeatAt}; its session is ${other.description}` };
}

/** A run whose lock is free for a moment, in the middle of its work: a broken connection, or another pod for it. */
function mayComeBack(earlier: HolderRow, { holder }: Claim): boolean {
  return earlier.silentSeconds < SILENCE_SECONDS && !isSame(earlier, holder);
}

function waitFor(earlier: HolderRow, { database }: Claim): Refusal {
  const who = `Database "${database}" was worked on a moment ago by ${describeHolder(earlier)}, and its lock is free without a word of the end`;
  return {
    who,
    message: `${who}: it may come back, and is waited for until it has been silent for ${SILENCE_SECONDS} s; last heartbeat ${earlier.heartbeatAt}`,
  };
}

/** What people should know when the lock was taken from somebody who did not say that he had ended. */
export function warningOf(earlier: HolderRow | undefined, { database, holder }: Claim): string | undefined {
  if (!earlier || isSame(earlier, holder)) return undefined;
  return `The lock on database "${database}" was taken over from ${describeHolder(earlier)}: last heartbeat ${earlier.heartbeatAt}, no session of it holds the lock, and it did not say that it had ended. Find out whether it left something undone.`;
}

/**
 * Whether that session still holds the lock on the database, asked from any other session. Asked right before COMMIT:
 * a runner whose lock went to somebody else must not commit.
 */
export async function holdsLock(asked: Session, holderPid: number, database: string): Promise<boolean> {
  const rows = await asked.query(
    `SELECT 1 FROM pg_catalog.pg_locks l WHERE ${isLock('$1')} AND l.pid OPERATOR(pg_catalog.=) $2::int4`,
    [lockKey('database', database), holderPid],
  );
  return rows.length > 0;
}

const FRESH_MS = 1000;
const MOST_QUESTIONS = 10;

/**
 * Proves that the lock is held now, before something is begun that no session of ours carries out: a program's own
 * connections come and go without it.
 *
 * @throws ConnectionLost when it is not held
 */
export async function proveLock(maintenance: Session, database: string): Promise<void> {
  for (let question = 1; question <= MOST_QUESTIONS; question++) {
    const asked = performance.now();
    if (!(await holdsLock(maintenance, maintenance.pid, database))) break;
    // Who was frozen since it asked has an answer of long ago, which another start of the runner may have outlived.
    if (performance.now() - asked < FRESH_MS) return;
  }
  throw new ConnectionLost(`the lock on database "${database}" is not held any more`);
}
