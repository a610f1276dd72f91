import { isDeepStrictEqual } from 'node:util';

type Fields = Record<string, unknown>;

/**
 * The merge patch (RFC 7386) that turns the top-level fields of `before` into those of `after`; undefined if they are
 * the same already. Fields that `after` does not have become null. A status that says nothing new is not written: every
 * write wakes every watcher.
 */
export function statusPatch(
  before: Fields | undefined,
  after: Fields,
  owned: (field: string) => boolean = () => true,
): Fields | undefined {
  const fields = new Set([...Object.keys(before ?? {}), ...Object.keys(after)]);
  const changes: Fields = {};
  for (const field of fields) {
    if (!owned(field)) continue;
    const [old, wanted] = [before?.[field], plain(after[field])];
    if (isDeepStrictEqual(plain(old), wanted)) continue;
    // A merge patch merges maps: an entry that is gone has to be named.
    changes[field] = wanted === undefined ? null : withRemovals(old, wanted);
  }
  return Object.keys(changes).length > 0 ? changes : undefined;
}

/** As JSON carries it: without undefined members. */
function plain(value: unknown): unknown {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value));
}

function withRemovals(old: unknown, wanted: unknown): unknown {
  if (!isMap(old) || !isMap(wanted)) return wanted;
  const removed = Object.keys(old).filter((key) => !(key in wanted));
  return { ...wanted, ...Object.fromEntries(removed.map((key) => [key, null])) };
}

function isMap(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
