import type { Plan } from '../../api/plan.ts';

export type Retention = NonNullable<Plan['backup']['retention']>;

/** A backup of the database that is on the volume. */
export interface StoredBackup {
  /** Folder of the run that took it. */
  folder: string;
  /** The moment whose content is in it. */
  takenAt: Date;
  /** All its files are there with the sizes that they were written with. */
  isWhole: boolean;
}

const DAY_MS = 86_400_000;

/**
 * The backups whose time is over. Those of the last `keepLast` that are whole stay whatever their age is, so that there
 * always is a good one; what is not whole does not count among them.
 */
export function backupsToRemove(backups: StoredBackup[], retention: Retention, now: Date): StoredBackup[] {
  const lastGood = backups
    .filter(({ isWhole }) => isWhole)
    .sort((one, other) => other.takenAt.getTime() - one.takenAt.getTime())
    .slice(0, retention.keepLast);
  const oldest = now.getTime() - retention.maxAgeDays * DAY_MS;
  return backups.filter((backup) => !lastGood.includes(backup) && backup.takenAt.getTime() < oldest);
}
