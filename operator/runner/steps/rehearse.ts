import { StepFailure } from '../core/failure.ts';
import { PINNED } from '../postgres/ask.ts';
import { dropDatabase } from '../postgres/clone.ts';
import { readDatabaseSettings, statementsFor } from '../postgres/database-settings.ts';
import { restoreArchive } from '../postgres/dump.ts';
import { identifier } from '../postgres/identifiers.ts';
import type { Evidence, Work } from '../work.ts';
import { dumpOptions } from './archives.ts';
import { createLike } from './create-like.ts';
import { compareProofs, readProof, type Proof } from './proof.ts';

const MOST_DIFFERENCES = 5;

/**
 * Restores an archive into a scratch database, compares what came back with what was dumped, and drops it again. While
 * it is there only its owner may connect.
 *
 * @throws StepFailure BackupFailed naming what differs
 */
export async function rehearse(work: Work, path: string, dumped: Proof, evidence: Evidence): Promise<void> {
  const { maintenance, names, reporter } = work;
  await dropDatabase(maintenance, names.rehearsal);
  reporter.update({ rehearsal: { state: 'Restoring', database: names.rehearsal } });
  // Whoever comes after a crash must know of it.
  await reporter.flush();
  const began = performance.now();
  try {
    await restoreInto(work, path);
    evidence['restoreMilliseconds'] = String(Math.round(performance.now() - began));
    const differences = compareProofs(dumped, await readCopy(work));
    if (differences.length > 0)
      throw new StepFailure('BackupFailed', `what ${path} restores is not what was dumped: ${someOf(differences)}`);
  } finally {
    // What is cut off now is dropped by the next look.
    if (!work.signal.aborted) await dropRehearsal(work);
  }
  evidence['rehearsalMilliseconds'] = String(Math.round(performance.now() - began));
}

/** So many differences that a sentence can hold them. */
export function someOf(differences: string[]): string {
  const rest = differences.length - MOST_DIFFERENCES;
  return [...differences.slice(0, MOST_DIFFERENCES), ...(rest > 0 ? [`and ${rest} more`] : [])].join('; ');
}

/** Restores an archive into the scratch database, with everything that its original has beside its content. */
export async function restoreInto(work: Work, path: string): Promise<void> {
  const { maintenance, names } = work;
  const database = names.rehearsal;
  await createLike(work, database);
  await maintenance.query(`REVOKE ALL ON DATABASE ${identifier(database)} FROM PUBLIC`);
  // A subscription would keep the database from being dropped, and belongs to the original.
  await restoreArchive(path, dumpOptions(work, database), ['--no-subscriptions']);
  const settings = await readDatabaseSettings(maintenance, names.target);
  const those = { ...settings, owner: '', acl: null, comment: null, isTemplate: false };
  await maintenance.query(statementsFor(database, those).join(';'));
}

export async function readCopy(work: Work): Promise<Proof> {
  const session = await work.sessions.open(work.names.rehearsal);
  try {
    // A restore leaves no statistics, without which the figures' queries could take for ever.
    await session.query('ANALYZE');
    await session.query(`BEGIN;${PINNED}`);
    return await readProof(work, session);
  } finally {
    await work.sessions.close(session, work.maintenance);
  }
}

/** Drops the scratch database if one was made, and says so. */
export async function dropRehearsal({ maintenance, reporter }: Work): Promise<void> {
  const { rehearsal } = reporter.status;
  if (rehearsal?.state !== 'Restoring') return;
  await dropDatabase(maintenance, rehearsal.database);
  reporter.update({ rehearsal: { ...rehearsal, state: 'Dropped' } });
}
