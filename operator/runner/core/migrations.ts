import type { Reason } from '../../api/reasons.ts';

/** One migration as its files say. */
export interface Migration {
  /** What stands before the first underscore of its name. */
  revision: string;
  /** `<revision>_<slug>`. */
  name: string;
  kind: 'sql' | 'js';
  /** Whether it may run inside a transaction, together with its ledger row. */
  transactional: boolean;
  /** SHA-256 of the file that says what `up` does; a `down` may be mended after the migration was applied. */
  checksum: string;
  up: string;
  /** SQL text, or for `js` the path of the module. Absent: it cannot be undone by itself. */
  down?: string;
}

export type Direction = 'up' | 'down';

/** One thing to do: a migration up or down. */
export interface Operation {
  migration: Migration;
  direction: Direction;
}

/** Something that stands against beginning; the text names the object and says what to do. */
export interface Violation {
  reason: Reason;
  message: string;
}

/** What the ledger says of one applied migration. */
export interface Applied {
  revision: string;
  checksum: string;
}

function quoted(names: string[]): string {
  return names.map((name) => `"${name}"`).join(', ');
}

/**
 * The operations that lead from one revision to another, in the order in which they are carried out.
 * Up: everything after `start` until `target`; Down: everything after `target` until `start`, the newest first.
 */
export function planOperations(
  files: Migration[],
  wanted: { direction: 'Up' | 'Down'; startRevision: string; targetRevision: string },
): Operation[] | Violation[] {
  const indexOf = (revision: string) => files.findIndex((file) => file.revision === revision);
  const missing = [wanted.startRevision, wanted.targetRevision].filter((revision) => indexOf(revision) < 0);
  if (missing.length > 0)
    return missing.map((revision): Violation => ({
      reason: 'UnknownRevision',
      message: `revision "${revision}" has no migration file; there are ${quoted(files.map((file) => file.name)) || 'none'}`,
    }));
  const [start, target] = [indexOf(wanted.startRevision), indexOf(wanted.targetRevision)];
  const up = wanted.direction === 'Up';
  if (up ? target <= start : target >= start)
    return [
      {
        reason: 'UnknownRevision',
        message: `"${wanted.targetRevision}" does not come ${up ? 'after' : 'before'} "${wanted.startRevision}" in the order of the migration files`,
      },
    ];
  const between = files.slice(Math.min(start, target) + 1, Math.max(start, target) + 1);
  return up
    ? between.map((migration) => ({ migration, direction: 'up' }))
    : between.reverse().map((migration) => ({ migration, direction: 'down' }));
}

export function isViolation(item: Operation | Violation): item is Violation {
  return 'reason' in item;
}

/** What undoes the operations: the opposite of each, the last first. */
export function inverse(operations: Operation[]): Operation[] {
  return operations
    .map(({ migration, direction }): Operation => ({ migration, direction: direction === 'up' ? 'down' : 'up' }))
    .reverse();
}

/** The operations whose migration has no `down` although they need it. */
export function withoutDown(operations: Operation[]): Migration[] {
  return operations
    .filter(({ migration, direction }) => direction === 'down' && migration.down === undefined)
    .map(({ migration }) => migration);
}

/** Compares what was applied with the files: nothing may have vanished, changed or been applied out of order. */
export function judgeHistory(files: Migration[], applied: Applied[]): Violation[] {
  const byRevision = new Map(files.map((file) => [file.revision, file]));
  const violations: Violation[] = [];
  const vanished = applied.filter(({ revision }) => !byRevision.has(revision));
  for (const { revision } of vanished)
    violations.push({
      reason: 'MigrationVanished',
      message: `migration "${revision}" was applied to the database but its file is gone; bring the file back`,
    });
  for (const { revision, checksum } of applied) {
    const file = byRevision.get(revision);
    if (file && file.checksum !== checksum)
      violations.push({
        reason: 'MigrationChanged',
        message: `the file of "${file.name}" was changed after it was applied (SHA-256 ${checksum.slice(0, 12)}… then, ${file.checksum.slice(0, 12)}… now); restore it and put the change into a new migration`,
      });
  }
  return vanished.length > 0 ? violations : [...violations, ...judgeOrder(files, applied)];
}

function judgeOrder(files: Migration[], applied: Applied[]): Violation[] {
  const firstWrong = applied.findIndex(({ revision }, place) => files[place]?.revision !== revision);
  if (firstWrong < 0) return [];
  return [
    {
      reason: 'MigrationOutOfOrder',
      message: `the ${ordinal(firstWrong + 1)} applied migration is "${applied[firstWrong]!.revision}", but the files have "${files[firstWrong]?.name ?? 'nothing'}" in that place`,
    },
  ];
}

function ordinal(number: number): string {
  const tens = number % 100;
  const suffix = tens >= 11 && tens <= 13 ? 'th' : (['th', 'st', 'nd', 'rd'][number % 10] ?? 'th');
  return `${number}${suffix}`;
}
