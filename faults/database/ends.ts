import type { RunnerStatus } from '../../operator/api/phase-migration-run.ts';
import type { End } from './end-state.ts';
import type { Fault, FaultName } from './faults.ts';
import type { History } from './histories.ts';
import type { Moment } from './scene.ts';

/** What may come of a faulted run. */
export interface Allowed {
  ends: End[];
  /** A person may have to decide on the way, of which the cause is named. */
  needsHuman: boolean;
  /** What the failure must say where the run does not end as the one without a fault. */
  words: RegExp;
}

const NEVER_AGAIN = /never tried again blindly/;

/** Faults that PostgreSQL or the file system tells in words of its own, so that trying again could only hide them. */
const TOLD: Partial<Record<FaultName, RegExp>> = {
  cancel: /canceling statement due to user request/,
  'client-session': /"forgotten" as role "app|being accessed by other users|lock timeout/,
  'owner-session': /"forgotten" as role "migrator|being accessed by other users|lock timeout/,
  'superuser-session': /"forgotten" as role "postgres"|being accessed by other users|lock timeout/,
  'volume-full': /no space left|ENOSPC|NotEnoughDisk|the backup volume has/i,
  'disk-full': /no space left|could not (extend|write)|could not resize|disk is full/i,
};

/**
 * How a run may end in which this went wrong at that moment. What only cuts short (a connection, the runner, the
 * server) must not be seen in the end, unless it left half of a migration outside a transaction. What refuses a
 * statement may make the run be undone; on the way back it may need a person.
 */
export function allowedAfter(fault: Fault, moment: Moment, history: History): Allowed {
  if (fault.fault.startsWith('invalid-by-'))
    return { ends: ['Undone'], needsHuman: false, words: /never tried again blindly|canceling statement/ };
  if (fault.at === 'Archive' && fault.goal === 'RolledBack')
    return { ends: ['Reference', 'Undone'], needsHuman: true, words: /nothing was dropped for it/ };
  const words = TOLD[fault.fault];
  const isReferenceUndone = history.failingJob !== undefined || isFailing(history);
  if (!words) {
    const isUndone = moment.isHalfDone || isReferenceUndone;
    return { ends: isUndone ? ['Reference', 'Undone'] : ['Reference'], needsHuman: false, words: NEVER_AGAIN };
  }
  if (moment.goal === 'Finished') return { ends: ['Reference'], needsHuman: false, words };
  if (moment.goal === 'RolledBack') return { ends: ['Reference', 'Undone'], needsHuman: true, words };
  const ends: End[] = moment.isLifting ? ['Reference', 'Undone', 'UndoneByDown'] : ['Reference', 'Undone'];
  // What is still there on the way back may be in the way there, too.
  return { ends, needsHuman: fault.fault !== 'cancel', words };
}

function isFailing({ options }: History): boolean {
  return (options.plan?.verification?.checks ?? []).some(({ name }) => name === 'never');
}

/** What was told of every step that failed on the way. */
export function failuresIn(reports: RunnerStatus[]): string[] {
  const failed = reports.flatMap(({ steps = [] }) => steps.filter(({ state }) => state === 'Failed'));
  return [...new Set(failed.map(({ name, message }) => `${name}: ${message ?? 'it said nothing'}`))];
}
