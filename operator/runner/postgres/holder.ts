import { lockKey } from '../core/names.ts';
import { isLock } from './advisory-lock.ts';
import { isReadable } from './holder-table.ts';
import { sqlState, type Row, type Session } from './session.ts';

/** Who works on a database. */
export interface Holder {
  /** `namespace/name` of a run; `user@host` of a person or of another tool. */
  name: string;
  /** What people call the cluster that the run is in. */
  cluster?: string;
  runUid?: string;
  epoch?: number;
  pod?: string;
}

/** How far it has come. */
export interface HolderState {
  step?: string;
  state: 'Working' | 'NeedsHuman';
}

/** A row of the fixed place. Times are the server's, in UTC. */
export interface HolderRow extends Holder, HolderState {
  lockPid: number;
  startedAt: string;
  heartbeatAt: string;
  /** How long ago the last heartbeat was, by the server's own clock. */
  silentSeconds: number;
}

/**
 * For so long after its last heartbeat a holder whose lock is free is waited for: a runner whose connection broke or
 * whose pod is being replaced is back within seconds, and may be in the middle of its outage.
 */
export const SILENCE_SECONDS = 60;

const LONGEST_TEXT = 253;
const text = (column: string) => `pg_catalog.left(${column}, ${LONGEST_TEXT})`;
const utc = (column: string) =>
  `pg_catalog.to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS ${column}`;

/**
 * What the fixed place says about a database, or about whoever's session has that process id.
 *
 * @returns undefined where there is no row, no table, or none that can be read
 */
export async function readHolder(
  session: Session,
  by: { database: string } | { lockPid: number },
): Promise<HolderRow | undefined> {
  if (!(await isReadable(session))) return undefined;
  const [condition, value] =
    'database' in by
      ? ['database OPERATOR(pg_catalog.=) $1::text', by.database]
      : ['lock_pid OPERATOR(pg_catalog.=) $1::int4', by.lockPid];
  try {
    const [row] = await session.query(
      `SELECT ${text('holder')} AS holder, ${text('cluster')} AS cluster, run_uid, epoch, ${text('pod')} AS pod,
         ${text('step')} AS step, state, lock_pid, ${utc('started_at')}, ${utc('heartbeat_at')},
         extract(epoch FROM pg_catalog.clock_timestamp() - heartbeat_at) AS silent
       FROM phasemigration.holder WHERE ${condition}`,
      [value],
    );
    return row && holderOf(row);
  } catch (error) {
    // Dropped a moment ago, not for this role, or of another version: whoever asks does without.
    if (sqlState(error) === undefined) throw error;
    return undefined;
  }
}

function holderOf(row: Row): HolderRow {
  const { cluster, run_uid: runUid, epoch, pod, step } = row;
  return {
    name: row['holder'] ?? '?',
    ...(cluster ? { cluster } : {}),
    ...(runUid ? { runUid } : {}),
    ...(epoch ? { epoch: Number(epoch) } : {}),
    ...(pod ? { pod } : {}),
    ...(step ? { step } : {}),
    state: row['state'] === 'NeedsHuman' ? 'NeedsHuman' : 'Working',
    lockPid: Number(row['lock_pid']),
    startedAt: row['started_at'] ?? '?',
    heartbeatAt: row['heartbeat_at'] ?? '?',
    silentSeconds: Number(row['silent']),
  };
}

/** Whether two are one and the same: a later start of the run, or the same person again. */
export function isSame(one: Holder, other: Holder): boolean {
  return one.runUid === undefined ? other.runUid === undefined && one.name === other.name : one.runUid === other.runUid;
}

/** `run shop/rename-2 of cluster staging (start 3, pod rename-2-runner-3-x), at step Migrate, since …`. */
export function describeHolder(row: HolderRow): string {
  const start = [row.epoch && `start ${row.epoch}`, row.pod && `pod ${row.pod}`].filter(Boolean).join(', ');
  const cluster = row.cluster ? ` of cluster ${row.cluster}` : '';
  return [
    `${row.runUid ? 'run ' : ''}${row.name}${cluster}${start ? ` (${start})` : ''}`,
    ...(row.state === 'NeedsHuman' ? ['which waits for a person’s decision'] : []),
    ...(row.step ? [`at step ${row.step}`] : []),
    `since ${row.startedAt}`,
  ].join(', ');
}

export interface HolderEntry extends Holder, HolderState {
  database: string;
  /** The session that holds the lock on the database. */
  lockPid: number;
}

/**
 * Says who works on a database: if, and only if, that session holds the lock on it. Whoever lost the lock therefore
 * cannot take the row from whoever has it now. A later start of a run keeps the time since when it works.
 *
 * @returns whether the lock is held
 */
export async function writeHolder(session: Session, entry: HolderEntry): Promise<boolean> {
  const rows = await session.query(
    `INSERT INTO phasemigration.holder AS old (database, holder, cluster, run_uid, epoch, pod, step, state, lock_key, lock_pid)
     SELECT $1::text, $2::text, $3::text, $4::text, $5::int4, $6::text, $7::text, $8::text, $9::int8, $10::int4
     WHERE EXISTS (SELECT FROM pg_catalog.pg_locks l WHERE ${isLock('$9')} AND l.pid OPERATOR(pg_catalog.=) $10::int4)
     ON CONFLICT (database) DO UPDATE SET
       holder = excluded.holder, cluster = excluded.cluster, run_uid = excluded.run_uid, epoch = excluded.epoch,
       pod = excluded.pod, step = excluded.step, state = excluded.state, lock_key = excluded.lock_key,
       lock_pid = excluded.lock_pid, role = excluded.role, heartbeat_at = excluded.heartbeat_at,
       started_at = CASE WHEN old.run_uid = excluded.run_uid OR old.lock_pid = excluded.lock_pid THEN old.started_at ELSE excluded.started_at END
     RETURNING 1`,
    [
      ...[entry.database, entry.name, entry.cluster ?? null, entry.runUid ?? null, entry.epoch ?? null],
      ...[entry.pod ?? null, entry.step ?? null, entry.state, lockKey('database', entry.database), entry.lockPid],
    ],
  );
  return rows.length > 0;
}

/** Takes back what the session with the lock said, or an earlier session of the same run. */
export async function removeHolder(
  session: Session,
  { database, lockPid, runUid }: Pick<HolderEntry, 'database' | 'lockPid' | 'runUid'>,
): Promise<void> {
  await session.query(
    `DELETE FROM phasemigration.holder WHERE database OPERATOR(pg_catalog.=) $1::text
       AND (lock_pid OPERATOR(pg_catalog.=) $2::int4 OR run_uid OPERATOR(pg_catalog.=) $3::text)`,
    [database, lockPid, runUid ?? null],
  );
}

/** Takes back what this start of a run or an earlier one said. */
export async function removeHolderOfRun(
  session: Session,
  { database, runUid, epoch }: { database: string; runUid: string; epoch: number },
): Promise<void> {
  await session.query(
    `DELETE FROM phasemigration.holder WHERE database OPERATOR(pg_catalog.=) $1::text
       AND run_uid OPERATOR(pg_catalog.=) $2::text AND epoch OPERATOR(pg_catalog.<=) $3::int4`,
    [database, runUid, epoch],
  );
}
