/** Which row of pg_locks (as `l`) is the granted advisory lock with that key; it shows 64 bits as two unsigned halves. */
export function isLock(parameter: string): string {
  return `l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
    AND ((l.classid::int8 << 32) | l.objid::int8) = ${parameter}::int8`;
}
