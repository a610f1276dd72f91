import { createHash } from 'node:crypto';

/** status.runner.snapshots allows no more; a longer figure is recorded by its hash and its first rows. */
const MAX_RECORDED = 16_000;
const SHOWN_DIFFERENCES = 3;

export type FigureRow = (string | null)[];

/**
 * The rows of a figure as they are recorded: JSON, sorted, because a query without ORDER BY may answer in any order.
 * Very long ones are replaced by their count and SHA-256, which compares just as exactly but cannot be shown.
 */
export function recordFigure(rows: FigureRow[]): string {
  const lines = rows.map((row) => JSON.stringify(row)).sort();
  const json = `[${lines.join(',')}]`;
  if (json.length <= MAX_RECORDED) return json;
  return JSON.stringify({ rows: rows.length, sha256: createHash('sha256').update(json).digest('hex') });
}

/** @returns undefined when the figures are equal, else how they differ, with the first rows that do */
export function compareFigures(before: string, after: string): string | undefined {
  if (before === after) return undefined;
  const [old, now] = [rowsOf(before), rowsOf(after)];
  if (!old || !now) return `was ${before.slice(0, 200)}, is ${after.slice(0, 200)}`;
  const only = (some: string[], others: string[]) => {
    const rest = [...others];
    return some.filter((row) => {
      const place = rest.indexOf(row);
      if (place >= 0) rest.splice(place, 1);
      return place < 0;
    });
  };
  const list = (rows: string[]) =>
    `${rows.slice(0, SHOWN_DIFFERENCES).join(', ') || 'nothing'}${rows.length > SHOWN_DIFFERENCES ? ', …' : ''}`;
  return `was ${list(only(old, now))}, is ${list(only(now, old))}`;
}

function rowsOf(recorded: string): string[] | undefined {
  const parsed: unknown = JSON.parse(recorded);
  return Array.isArray(parsed) ? parsed.map((row) => JSON.stringify(row)) : undefined;
}
