import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileSafe, type RunIdentity } from '../core/names.ts';
import { fingerprintOf, type Fingerprint } from '../postgres/fingerprint.ts';
import type { Work } from '../work.ts';

/**
 * Name of a run's own folder among the backups of its namespace. The run's name alone would not do: a PhaseMigration
 * that is deleted and made again has runs of the same names, which must neither take an older backup for their own nor
 * write over it.
 */
export function runFolderName(run: RunIdentity): string {
  return `${fileSafe(run.name)}-${fileSafe(run.uid.slice(0, 8))}`;
}

/** A run's own folder on the backup volume. */
export function runFolder({ folders, run }: Pick<Work, 'folders' | 'run'>): string {
  return join(folders.backup, fileSafe(run.namespace), runFolderName(run));
}

/** Keeps the schema as it was, so that differences can be named after a crash too. */
export async function writeSchemaBefore(work: Work, fingerprint: Fingerprint): Promise<void> {
  await mkdir(runFolder(work), { recursive: true });
  await writeFile(join(runFolder(work), 'schema-before.json'), JSON.stringify([...fingerprint.objects]));
}

/** The schema as it was, if the file is the one with this fingerprint. */
export async function readSchemaBefore(work: Work, sha256: string): Promise<Fingerprint | undefined> {
  try {
    const text = await readFile(join(runFolder(work), 'schema-before.json'), 'utf8');
    const fingerprint = fingerprintOf(JSON.parse(text) as [string, string][]);
    return fingerprint.sha256 === sha256 ? fingerprint : undefined;
  } catch {
    // Only the names of the differences are lost with it.
    return undefined;
  }
}
