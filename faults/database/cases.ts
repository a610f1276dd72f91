import fc from 'fast-check';
import type { Attempt } from './attempt.ts';
import {
  ARCHIVE_FAULTS,
  INDEX_FAULTS,
  isSlow,
  nameOf,
  REPORT_FAULTS,
  STATEMENT_FAULTS,
  type Fault,
  type StatementFault,
} from './faults.ts';
import type { HistoryName } from './histories.ts';
import type { PassedStatement } from './wire.ts';

/** One faulted run. */
export interface Case {
  history: HistoryName;
  fault: Fault;
}

export const PREFIX = 'database/';

/** What people give `--only`: `database/success/COMMIT.1:answer-lost`. */
export function idOf({ history, fault }: Case): string {
  return `${PREFIX}${history}/${nameOf(fault)}`;
}

/** Somebody has to be quick to cancel a statement that takes less. */
const CANCELLED_FROM_MILLISECONDS = 2;
/** What writes: reading needs no room. */
const WRITES = /^(program-)?(CREATE|ALTER|INSERT|COMMIT|BEGIN|DROP|COPY)/;
/** Asked when the time has come, and not by any step. */
const HEARTBEAT = 'SELECT-1';

/** Every statement and every report of a reference run with every fault that there can be, and what has no such place. */
export function casesOf(history: HistoryName, { statements, reports }: Attempt): Case[] {
  const ofStatements = statements
    .filter(({ name }) => name !== HEARTBEAT)
    .flatMap((statement) =>
      [
        ...STATEMENT_FAULTS.filter((fault) => canCome(fault, statement)),
        ...(statement.name.startsWith('CREATE-INDEX-CONCURRENTLY') ? INDEX_FAULTS : []),
      ].map((fault): Fault => ({ at: 'Statement', statement: statement.id, fault })),
    );
  const ofReports = Array.from({ length: reports }, (_, index) =>
    REPORT_FAULTS.map((fault): Fault => ({ at: 'Report', report: index + 1, fault })),
  ).flat();
  const ofArchives = ARCHIVE_FAULTS.map((fault): Fault => ({ at: 'Archive', goal: 'RolledBack', fault }));
  const others: Fault[] = [
    { at: 'Archive', goal: 'Migrated', fault: 'archive-changed' },
    { at: 'Begin', fault: 'latency' },
    { at: 'Begin', fault: 'lock-held' },
  ];
  const faults = [...ofStatements, ...ofReports, ...(history === 'restore-dump' ? ofArchives : []), ...others];
  return faults.map((fault) => ({ history, fault }));
}

function canCome(fault: StatementFault, { name, isProgram, milliseconds = 0 }: PassedStatement): boolean {
  switch (fault) {
    case 'cancel':
      return !name.endsWith('connect') && milliseconds >= CANCELLED_FROM_MILLISECONDS;
    case 'volume-full':
      return name === 'program-connect';
    case 'disk-full':
      return WRITES.test(name);
    // Who forgets a session does so whatever the client programs ask.
    case 'client-session':
    case 'owner-session':
    case 'superuser-session':
      return !isProgram;
    case 'cut-before':
    case 'answer-lost':
    case 'hole':
    case 'black-hole':
    case 'kill-before':
    case 'kill-after':
    case 'crash-before':
    case 'crash-after':
    case 'freeze':
    case 'freeze-to-end':
    case 'partition':
      return true;
  }
}

/** So many of the cases, in an order by chance that the seed repeats. */
export function sample(cases: Case[], count: number, seed: number): Case[] {
  const length = Math.min(count, cases.length);
  const [drawn = []] = fc.sample(fc.shuffledSubarray(cases, { minLength: length, maxLength: length }), {
    seed,
    numRuns: 1,
  });
  return drawn;
}

function groups(cases: Case[], keyOf: (one: Case) => string): Case[][] {
  return [...Map.groupBy(cases, keyOf).values()];
}

const SHORT_PER_FAULT = 2;

/** Some of each fault that does not take long. */
export function shortForm(all: Case[], seed: number): Case[] {
  const drawn = groups(
    all.filter(({ fault }) => !isSlow(fault)),
    ({ fault }) => fault.fault,
  ).flatMap((group, index) => sample(group, SHORT_PER_FAULT, seed + index));
  return sample(drawn, drawn.length, seed);
}

const SLOW_PER_HISTORY_AND_FAULT = 2;
const PROGRAM_STATEMENTS_PER_HISTORY = 10;
const REPORTS_PER_HISTORY = 10;

/**
 * Of every history: what each statement of the runner is called with one of the quick faults, some statements of its
 * programs and some reports, everything that has no such place, and some of each fault that takes long. By chance, so
 * that a few seeds come to all of them.
 */
export function longForm(all: Case[], seed: number): Case[] {
  const of = (wanted: (fault: Fault) => boolean) => all.filter(({ fault }) => wanted(fault));
  const drawn = (cases: Case[], keyOf: (one: Case) => string, count: number) =>
    groups(cases, keyOf).flatMap((group, index) => sample(group, count, seed + index));
  const slow = drawn(of(isSlow), ({ history, fault }) => `${history} ${fault.fault}`, SLOW_PER_HISTORY_AND_FAULT);
  const isOf = (kind: Kind) => (fault: Fault) => !isSlow(fault) && kindOf(fault) === kind;
  const quick = [
    ...drawn(of(isOf('Statement')), ({ history, fault }) => `${history} ${placeName(fault)}`, 1),
    ...drawn(of(isOf('Program')), ({ history }) => history, PROGRAM_STATEMENTS_PER_HISTORY),
    ...drawn(of(isOf('Report')), ({ history }) => history, REPORTS_PER_HISTORY),
    ...of(isOf('Other')),
  ];
  // Those that take long first: nothing waits for them at the end.
  return [...sample(slow, slow.length, seed), ...sample(quick, quick.length, seed)];
}

type Kind = 'Statement' | 'Program' | 'Report' | 'Other';

function kindOf(fault: Fault): Kind {
  if (fault.at === 'Report') return 'Report';
  if (fault.at !== 'Statement' || (INDEX_FAULTS as readonly string[]).includes(fault.fault)) return 'Other';
  return fault.statement.startsWith('program-') ? 'Program' : 'Statement';
}

/** A statement's name without its number. */
function placeName(fault: Fault): string {
  return nameOf(fault).replace(/(\.\d+)?:.*$/, '');
}
