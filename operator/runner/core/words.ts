const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'];

/** A size for people, in decimal units: `54.5 kB`. */
export function bytesInWords(bytes: number | bigint | string): string {
  let size = Number(bytes);
  let unit = 0;
  for (; size >= 999.5 && unit < UNITS.length - 1; unit++) size /= 1000;
  return `${unit === 0 || size >= 99.95 ? Math.round(size) : size.toFixed(1)} ${UNITS[unit]}`;
}

/** Disk space for people, rounded up: `1200 MiB`. */
export function mebibytes(bytes: number): string {
  return `${Math.ceil(bytes / 1_048_576)} MiB`;
}

/** A time for people: `28 ms`, `1.3 s`. */
export function durationInWords(milliseconds: number | string): string {
  const time = Number(milliseconds);
  return time < 1000 ? `${Math.round(time)} ms` : `${(time / 1000).toFixed(1)} s`;
}

/** `1 figure`, `3 figures`. */
export function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}

/** How many checks and figures were as expected. */
export function verifiedInWords(checks: number, figures: number): string {
  const parts = [checks > 0 && `${checks} of ${checks} checks`, figures > 0 && count(figures, 'figure')].filter(
    Boolean,
  );
  return parts.length > 0 ? `${parts.join(' and ')} as expected` : 'Nothing was to be asked';
}

/** Whose sessions they were: application, address and how many. */
export function sessionsInWords(sessions: { application: string; address: string | undefined }[]): string {
  const counts = new Map<string, number>();
  for (const { application, address } of sessions) {
    const who = `${application || 'without application_name'}${address ? ` ${address}` : ''}`;
    counts.set(who, (counts.get(who) ?? 0) + 1);
  }
  const MOST = 5;
  const list = [...counts].slice(0, MOST).map(([who, number]) => `${who}: ${number}`);
  return [...list, ...(counts.size > MOST ? ['…'] : [])].join(', ');
}
