import { bytesInWords, count } from './core/words.ts';
import { readArchive } from './postgres/archive.ts';
import { sizeOf } from './postgres/contents.ts';
import { readRecord, refuseAnother, type Expected } from './steps/archive-record.ts';

export interface VerifyOptions {
  path: string;
  /** What it is supposed to be. */
  expected: Expected;
  print: (line: string) => void;
}

/**
 * Says what an archive is, and proves that it is what was written: whose, whole, unchanged, readable. Needs neither the
 * cluster nor a database.
 *
 * @throws Error with one sentence for people
 */
export async function verifyArchive({ path, expected, print }: VerifyOptions): Promise<void> {
  const record = await readRecord(path);
  refuseAnother(path, record, expected);
  const major = Math.floor(record.serverVersion / 10_000);
  await readArchive({ ...record, path }, { major, signal: new AbortController().signal });
  const server = record.systemIdentifier ? ` of the server with system identifier ${record.systemIdentifier}` : '';
  print(`database "${record.database}"${server}, PostgreSQL ${major}, at revision ${record.revision}`);
  print(`taken at ${record.takenAt} by run ${record.run} (UID ${record.runUid})`);
  print(`${bytesInWords(record.sizeBytes)}, format ${record.format}, SHA-256 ${record.sha256}`);
  if (record.proof) {
    const { tables, rows } = sizeOf(record.proof.tables);
    const restored = record.rehearsal === 'Restore' ? '; a restored copy was found equal' : '';
    print(`${count(tables, 'table')} with ${count(rows, 'row')}${restored}`);
  }
  print('whole and as it was written');
}
