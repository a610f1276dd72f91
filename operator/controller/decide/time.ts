/** RFC 3339 of a moment in milliseconds since the epoch. */
export function isoTime(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}

/** Milliseconds since the epoch of an RFC 3339 time; undefined for an absent one. */
export function moment(time: string | undefined): number | undefined {
  return time === undefined ? undefined : Date.parse(time);
}
