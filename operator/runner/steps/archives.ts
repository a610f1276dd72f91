import { bytesInWords } from '../core/words.ts';
import type { Archive } from '../postgres/archive.ts';
import type { DumpOptions } from '../postgres/dump.ts';
import { proveLock } from '../postgres/lock.ts';
import type { Evidence, Work } from '../work.ts';

/** Where an archive is and how it can be told from others. */
export function archiveInWords({ path, sha256, sizeBytes }: Archive): string {
  return `${bytesInWords(sizeBytes)} in ${path}, SHA-256 ${sha256.slice(0, 12)}…, read back whole.`;
}

export function describeArchive(archive: Archive, evidence: Evidence): void {
  const { path, format, compression, sha256, sizeBytes, files } = archive;
  Object.assign(evidence, { archive: path, format, compression, sha256 });
  Object.assign(evidence, { bytes: String(sizeBytes), files: String(files.length) });
}

export function dumpOptions(work: Work, database: string): DumpOptions {
  const { address, application } = work.sessions;
  const { format, compression, jobs } = work.spec.plan.backup;
  const { major } = work.maintenance;
  const mayStart = () => proveLock(work.maintenance, work.names.target);
  return { address, database, application, major, signal: work.signal, mayStart, format, compression, jobs };
}
