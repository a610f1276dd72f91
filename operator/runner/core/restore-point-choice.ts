import type { Plan } from '../../api/plan.ts';
import { mebibytes } from './words.ts';

export type RestorePointMethod = 'Template' | 'Dump' | 'None';

export interface RestorePointChoice {
  method: RestorePointMethod;
  /** Why it is not the faster one, for people; absent where nothing has to be explained. */
  because?: string;
}

export interface Room {
  wanted: Plan['rollback']['restorePoint'];
  freeDiskFactor: number;
  sizeBytes: number;
  /** Of the server's data directory; absent where the runner's role may not have it measured. */
  serverFreeBytes?: number | undefined;
}

/**
 * Free bytes that the server's data directory must have. An archive needs one size of the database less than a clone:
 * it becomes a database of the server only when it is put back.
 */
export function neededOnServer(method: RestorePointMethod, { freeDiskFactor, sizeBytes }: Room): number {
  return sizeBytes * (method === 'Dump' ? freeDiskFactor - 1 : freeDiskFactor);
}

/**
 * What `rollback.restorePoint` comes to. Auto is a clone, which is taken and put back fastest, unless the server's disk
 * is known to be too small for it and large enough for an archive.
 */
export function chooseRestorePoint(room: Room): RestorePointChoice {
  const { wanted, serverFreeBytes: free } = room;
  if (wanted !== 'Auto') return { method: wanted };
  const needed = neededOnServer('Template', room);
  if (free === undefined || free >= needed || free < neededOnServer('Dump', room)) return { method: 'Template' };
  return {
    method: 'Dump',
    because: `the server’s data directory has ${mebibytes(free)} free, and a clone needs ${mebibytes(needed)} (${room.freeDiskFactor} × the database’s size)`,
  };
}
