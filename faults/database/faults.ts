/**
 * What can go wrong at a statement on its way to the server.
 * - `cut-before`, `answer-lost`: the connection is cut before the server has it, or when its answer is there
 * - `hole`, `black-hole`: nothing passes on any connection for four or thirty seconds; then everything does
 * - `cancel`: pg_cancel_backend
 * - `kill-before`, `kill-after`: SIGKILL for the runner, as above
 * - `crash-before`, `crash-after`: SIGKILL for every process of the server, which then starts again
 * - `freeze`, `freeze-to-end`: SIGSTOP for the runner, which wakes up while the next start works, or when that has ended
 * - `partition`: the runner hears nothing more of the API server and goes on, while the next start begins
 * - `client-session`, `owner-session`, `superuser-session`: a forgotten session with a lock on the table
 * - `volume-full`, `disk-full`: the backup volume, the disk of the database
 */
export const STATEMENT_FAULTS = [
  'cut-before',
  'answer-lost',
  'hole',
  'black-hole',
  'cancel',
  'kill-before',
  'kill-after',
  'crash-before',
  'crash-after',
  'freeze',
  'freeze-to-end',
  'partition',
  'client-session',
  'owner-session',
  'superuser-session',
  'volume-full',
  'disk-full',
] as const;
export type StatementFault = (typeof STATEMENT_FAULTS)[number];

/** CREATE INDEX CONCURRENTLY is cut short when its index is there and not valid yet. */
export const INDEX_FAULTS = ['invalid-by-cut', 'invalid-by-cancel', 'invalid-by-kill'] as const;
export type IndexFault = (typeof INDEX_FAULTS)[number];

/** What can go wrong at a report: the runner or the server is killed before it is written, or right after. */
export const REPORT_FAULTS = ['kill-before', 'kill-after', 'crash'] as const;
export type ReportFault = (typeof REPORT_FAULTS)[number];

/** What can become of an archive on the volume before a goal is written. */
export const ARCHIVE_FAULTS = ['archive-swapped', 'archive-truncated', 'archive-changed'] as const;
export type ArchiveFault = (typeof ARCHIVE_FAULTS)[number];

/** One thing that goes wrong in one run. */
export type Fault =
  | { at: 'Statement'; statement: string; fault: StatementFault | IndexFault }
  /** The so manieth of the run. */
  | { at: 'Report'; report: number; fault: ReportFault }
  /** Of the restore point before it is put back, and of the backup before the outage, when the runner is killed, too. */
  | { at: 'Archive'; goal: 'RolledBack'; fault: ArchiveFault }
  | { at: 'Archive'; goal: 'Migrated'; fault: 'archive-changed' }
  /** From the beginning: every piece takes 100 ms; somebody else holds the lock for a while. */
  | { at: 'Begin'; fault: 'latency' | 'lock-held' };

export type FaultName = Fault['fault'];

/** `COMMIT.1:answer-lost`, `report.7:kill-before`, `goal-RolledBack:archive-swapped`, `begin:latency`. */
export function nameOf(fault: Fault): string {
  switch (fault.at) {
    case 'Statement':
      return `${fault.statement}:${fault.fault}`;
    case 'Report':
      return `report.${fault.report}:${fault.fault}`;
    case 'Archive':
      return `goal-${fault.goal}:${fault.fault}`;
    case 'Begin':
      return `begin:${fault.fault}`;
  }
}

export const HOLE_MILLISECONDS = 4000;
/** Longer than the runner waits for an answer of the session that holds its lock. */
export const BLACK_HOLE_MILLISECONDS = 30_000;
export const LATENCY_MILLISECONDS = 100;
/** A forgotten session is ended when somebody was told of it, or after so long. */
export const FORGOTTEN_MILLISECONDS = 20_000;

/** The server that such a run needs: shared, one of its own that may be killed, one on a small disk of its own. */
export type Place = 'Shared' | 'Own' | 'SmallDisk';

export function placeOf({ fault }: Fault): Place {
  if (fault === 'disk-full') return 'SmallDisk';
  return fault === 'crash' || fault === 'crash-before' || fault === 'crash-after' ? 'Own' : 'Shared';
}

/** Those that take long because somebody waits, and next to nothing of the machine. */
export function isSlow({ fault }: Fault): boolean {
  return ['black-hole', 'superuser-session', 'latency', 'disk-full'].includes(fault);
}
