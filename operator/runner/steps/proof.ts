import { compareFigures } from '../core/snapshots.ts';
import { PINNED, takeFigures } from '../postgres/ask.ts';
import { compareContents, readContents, type Contents } from '../postgres/contents.ts';
import { compareFingerprints, readFingerprint, type Fingerprint } from '../postgres/fingerprint.ts';
import type { Session } from '../postgres/session.ts';
import type { Work } from '../work.ts';
import { PREPARATION_QUESTION_MS, startSide } from './questions.ts';

/** What is in a database, so that a restored copy can be compared with it. */
export interface Proof {
  figures: Record<string, string>;
  tables: Contents;
  schema: Fingerprint;
}

/**
 * Opens a transaction on the target that sees one moment of it, which others (pg_dump) can see too by its name, for as
 * long as the body takes. https://www.postgresql.org/docs/current/functions-admin.html#FUNCTIONS-SNAPSHOT-SYNCHRONIZATION
 */
export async function atOneMoment<T>(
  { sessions, maintenance, names }: Work,
  body: (session: Session, moment: { snapshot: string; time: string }) => Promise<T>,
): Promise<T> {
  const session = await sessions.open(names.target);
  try {
    await session.query(`BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;${PINNED}`);
    // By this clock, like every time in the status; before the snapshot, so that nothing written later is thought safe.
    const time = new Date().toISOString();
    const { snapshot } = await session.one('SELECT pg_catalog.pg_export_snapshot() AS snapshot');
    return await body(session, { snapshot: snapshot!, time });
  } finally {
    await sessions.close(session, maintenance);
  }
}

/** Reads a proof in a transaction with `PINNED` settings. The tables come first: they are locked from then on. */
export async function readProof(work: Work, session: Session): Promise<Proof> {
  const { snapshots, backup } = work.spec.plan;
  const tables = await readContents(session, { hashed: backup.contentHash === 'Enabled' });
  const schema = await readFingerprint(session);
  const options = { inTransaction: true, timeoutMs: PREPARATION_QUESTION_MS };
  return { tables, schema, figures: await takeFigures(session, { snapshots, side: startSide(work) }, options) };
}

/** How a restored copy differs from what was dumped. */
export function compareProofs(before: Proof, after: Proof): string[] {
  const figures = Object.entries(before.figures).flatMap(([name, figure]) => {
    const difference = compareFigures(figure, after.figures[name]!);
    return difference ? [`figure "${name}" ${difference}`] : [];
  });
  const schema = compareFingerprints(before.schema, after.schema);
  return [...compareContents(before.tables, after.tables), ...figures, ...schema];
}
