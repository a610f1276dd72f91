import { createHash } from 'node:crypto';

/** PostgreSQL cuts identifiers and application names off after 63 bytes. */
const MAX_NAME_BYTES = 63;
const PREFIX = 'phasemigration';

/** Who a run is, to the database and to people. */
export interface RunIdentity {
  namespace: string;
  name: string;
  /** metadata.uid: two clusters may have runs of the same name on one server. */
  uid: string;
}

function shortHash(text: string, length: number): string {
  return createHash('sha256').update(text).digest('hex').slice(0, length);
}

/** Cuts a text to a number of bytes without splitting a character; what is cut off in the middle is marked with `~`. */
function fit(text: string, bytes: number): string {
  if (Buffer.byteLength(text) <= bytes) return text;
  const head = [...text];
  const tail: string[] = [];
  while (tail.length < 3) tail.unshift(head.pop() ?? '');
  while (Buffer.byteLength([...head, '~', ...tail].join('')) > bytes) head.pop();
  return [...head, '~', ...tail].join('');
}

/**
 * `application_name` of every session of one start of a runner: `phasemigration <namespace>/<run> <hash> e<epoch>`.
 * The hash is of the run's UID, so that the sessions of a run are known even where its name had to be shortened.
 */
export function applicationName(run: RunIdentity, epoch: number): string {
  const end = ` ${shortHash(run.uid, 6)} e${epoch}`;
  // Anything but printable ASCII becomes `?` in an application_name.
  const who = `${run.namespace}/${run.name}`.replace(/[^\x21-\x7e]/g, '?');
  return `${PREFIX} ${fit(who, MAX_NAME_BYTES - PREFIX.length - 1 - end.length)}${end}`;
}

/** `application_name` of what a person does outside any run: `phasemigration by hand anna@laptop`. */
export function byHandApplicationName(who: string): string {
  return fit(`${PREFIX} by hand ${who.replace(/[^\x21-\x7e]/g, '?')}`, MAX_NAME_BYTES);
}

/** The epoch of a session of this run, or undefined for anybody else's. */
export function epochOf(run: RunIdentity, application: string | null): number | undefined {
  const match = / e([0-9]+)$/.exec(application ?? '');
  if (!match) return undefined;
  const epoch = Number(match[1]);
  return applicationName(run, epoch) === application ? epoch : undefined;
}

/** Names of the databases that a run makes beside the target; the same after every restart. */
export interface DatabaseNames {
  target: string;
  /** The template clone that is the restore point. */
  restorePoint: string;
  /** What the target is called after the restore point took its place, until it is dropped. */
  failed: string;
  /** What the target is called while CONNECTION LIMIT would keep the runner out too. */
  hidden: string;
  /** What the backup is restored into to prove it. */
  rehearsal: string;
}

export function databaseNames(target: string, uid: string): DatabaseNames {
  const hash = shortHash(uid, 8);
  const named = (what: string) => `${fit(target, MAX_NAME_BYTES - what.length - hash.length - 2)}_${what}_${hash}`;
  return {
    ...{ target, restorePoint: named('restore'), failed: named('failed'), hidden: named('fenced') },
    rehearsal: named('rehearsal'),
  };
}

/**
 * Key of an advisory lock: a signed 64-bit number as text. The locks of a run are the one of its database, and one for
 * every role that its fence sets NOLOGIN, because a role is shared by all databases of a server.
 */
export function lockKey(kind: 'database' | 'role', name: string): string {
  const digest = createHash('sha256').update(`${PREFIX}\0${kind}\0${name}`).digest();
  return digest.readBigInt64BE(0).toString();
}

/** A name that is safe as a file name and still tells people what it is. */
export function fileSafe(name: string): string {
  const safe = name.replace(/[^-.0-9A-Za-z]/g, '_').replace(/^\.+/, '_');
  return safe === name ? name.slice(0, 80) : `${safe.slice(0, 70)}-${shortHash(name, 8)}`;
}
