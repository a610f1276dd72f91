import type { Applied, Direction } from './migrations.ts';

/** One row of the append-only ledger. */
export interface LedgerRow {
  id: string;
  revision: string;
  name: string;
  direction: Direction;
  /**
   * `started` and `failed` exist for what cannot run in a transaction, `failed` also for what got out of the runner's;
   * `baseline` was declared, not carried out.
   */
  state: 'baseline' | 'started' | 'applied' | 'failed';
  checksum: string;
  /** UID of the run, or null for what a person did. */
  run: string | null;
}

/** What the rows add up to. */
export interface LedgerState {
  /** What is applied now, in the order in which it was applied. */
  applied: Applied[];
  /** The last applied revision. */
  revision?: string;
  /** Operations announced whose end nobody recorded: it is unknown how far they came. */
  unexplained: LedgerRow[];
  /** Operations outside a transaction that failed and were not done again since: some of their effect may be there. */
  failed: LedgerRow[];
  /** UID of the run that wrote the last row; absent where a person did. */
  lastRun?: string;
}

/**
 * Adds the rows up in the order of their ids.
 *
 * @throws Error when a row contradicts those before it: applied twice, or undone without being applied
 */
export function foldLedger(rows: LedgerRow[]): LedgerState {
  const applied: Applied[] = [];
  const open = new Map<string, LedgerRow>();
  for (const row of rows) {
    const key = `${row.direction} ${row.revision}`;
    if (row.state === 'started' || row.state === 'failed') open.set(key, row);
    else open.delete(key);
    if (row.state === 'applied' || row.state === 'baseline') apply(applied, row);
  }
  const revision = applied.at(-1)?.revision;
  const left = (state: LedgerRow['state']) => [...open.values()].filter((row) => row.state === state);
  const lastRun = rows.at(-1)?.run ?? undefined;
  return {
    applied,
    ...(lastRun === undefined ? {} : { lastRun }),
    ...(revision === undefined ? {} : { revision }),
    unexplained: left('started'),
    failed: left('failed'),
  };
}

function apply(applied: Applied[], row: LedgerRow): void {
  const place = applied.findIndex(({ revision }) => revision === row.revision);
  if (row.direction === 'up') {
    if (place >= 0) throw new Error(`the ledger says that "${row.name}" was applied twice (row ${row.id})`);
    applied.push({ revision: row.revision, checksum: row.checksum });
    return;
  }
  if (place < 0) throw new Error(`the ledger says that "${row.name}" was undone without being applied (row ${row.id})`);
  applied.splice(place, 1);
}
