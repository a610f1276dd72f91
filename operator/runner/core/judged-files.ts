import type { Violation } from './migrations.ts';

/** Evidence is cut: so much of a checksum is enough to tell files apart, for hundreds of migrations. */
export const CHECKSUM_LENGTH = 16;

/** What an earlier start of the runner judged before the outage, in the order of its operations. */
export interface JudgedFiles {
  files: { revision: string; checksum: string }[];
  /** There were more than the evidence has room for: these are the first ones. */
  isCut: boolean;
}

/** Reads them from the evidence of Preflight: `REVISION CHECKSUM, …`; none where it says nothing. */
export function judgedFiles(evidence = ''): JudgedFiles {
  const entries = evidence.split(', ').map((entry) => {
    const [revision = '', checksum = ''] = entry.split(' ');
    return { revision, checksum };
  });
  const files = entries.filter(({ checksum }) => checksum.length === CHECKSUM_LENGTH && !checksum.endsWith('…'));
  return { files, isCut: files.length < entries.length };
}

/** The first revision that was not judged, or is missing, or stands elsewhere than when it was. */
export function othersThanJudged({ files, isCut }: JudgedFiles, now: string[]): Violation | undefined {
  if (files.length === 0) return undefined;
  const then = files.map(({ revision }) => revision);
  const gone = then.find((revision) => !now.includes(revision));
  const added = isCut ? undefined : now.find((revision) => !then.includes(revision));
  const moved = then.find((revision, index) => now[index] !== revision);
  const [revision, what] = gone ? [gone, 'is gone'] : added ? [added, 'is new'] : [moved, 'is at another place'];
  if (revision === undefined) return undefined;
  return { reason: 'MigrationChanged', message: `revision "${revision}" ${what}` };
}
