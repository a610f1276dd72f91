import { readFile, rm, writeFile } from 'node:fs/promises';
import { manifestOf, type Archive } from '../postgres/archive.ts';
import type { DatabaseSettings } from '../postgres/database-settings.ts';
import type { Work } from '../work.ts';
import type { Scripts } from './by-hand-scripts.ts';
import type { Proof } from './proof.ts';

/** Whose archive it is: all that tells it from another one. */
export interface ArchiveIdentity {
  database: string;
  /** Of the server; absent where the runner's role may not ask for it. */
  systemIdentifier?: string;
  /** namespace/name */
  run: string;
  runUid: string;
}

/** ARCHIVE.json, beside an archive: what it is, for the runner and for people when nothing else is left. */
export interface ArchiveRecord extends ArchiveIdentity, Omit<Archive, 'path'> {
  /** The revision of the ledger that is in it. */
  revision: string;
  /** server_version_num: pg_restore must be of this major version or a later one. */
  serverVersion: number;
  /** The moment whose content is in it: what was written later is not. */
  takenAt: string;
  /** What was in it in the moment that was dumped; with a backup. */
  proof?: RecordedProof;
  /** Read: it was read back whole. Restore: it was restored, too, and everything of the proof was found in it. */
  rehearsal?: 'Read' | 'Restore';
  /** What belongs to the database itself and is in no archive of its content; with a restore point. */
  settings?: DatabaseSettings;
}

/** A proof without the schema's definitions, which stand in the archive. */
export interface RecordedProof extends Omit<Proof, 'schema'> {
  schemaFingerprint: string;
}

export function identityOf({ names, run, reporter }: Work): ArchiveIdentity {
  const { systemIdentifier } = reporter.status.database ?? {};
  return {
    database: names.target,
    ...(systemIdentifier ? { systemIdentifier } : {}),
    run: `${run.namespace}/${run.name}`,
    runUid: run.uid,
  };
}

/** @param takenAt the moment whose content is in it */
export function recordOf(work: Work, { path: _path, ...archive }: Archive, takenAt: string): ArchiveRecord {
  return {
    ...identityOf(work),
    revision: work.spec.startRevision,
    serverVersion: work.maintenance.version,
    takenAt,
    ...archive,
  };
}

const recordFile = (archive: string) => `${archive}.json`;
const manifestFile = (archive: string) => `${archive}.sha256`;
const scriptFile = (archive: string, name: keyof Scripts) => `${archive}.${name}.sql`;
const SCRIPTS: (keyof Scripts)[] = ['create', 'settings', 'compare'];

/** Writes the record, which makes the archive a finished one. */
export async function writeRecord(path: string, record: ArchiveRecord): Promise<void> {
  await writeFile(recordFile(path), JSON.stringify(record, null, 2), { flush: true, mode: 0o600 });
}

/** What `sha256sum --check` and `psql --file` need where there is nothing but the volume; see docs/restore-by-hand.md. */
export async function writeByHandFiles({ path, files }: Archive, scripts: Scripts): Promise<void> {
  await writeFile(manifestFile(path), manifestOf(files), { flush: true, mode: 0o600 });
  for (const name of SCRIPTS) await writeFile(scriptFile(path, name), scripts[name], { flush: true, mode: 0o600 });
}

/** @throws Error when there is none or it cannot be read */
export async function readRecord(path: string): Promise<ArchiveRecord> {
  try {
    return JSON.parse(await readFile(recordFile(path), 'utf8')) as ArchiveRecord;
  } catch (error) {
    const what = (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'is missing' : 'cannot be read';
    throw new Error(`${recordFile(path)}, which says what archive ${path} is, ${what}`, { cause: error });
  }
}

/** What an archive must be; what is left out is not asked. */
export type Expected = Partial<Omit<ArchiveIdentity, 'run'>> & { sha256?: string };

/**
 * Refuses an archive that is another one, by what is written beside it.
 *
 * @throws Error saying whose it is
 */
export function refuseAnother(path: string, found: ArchiveIdentity & { sha256: string }, expected: Expected): void {
  const { database, systemIdentifier, runUid, sha256 } = expected;
  if (database !== undefined && database !== found.database)
    throw new Error(`archive ${path} is of database "${found.database}", not of "${database}"`);
  const server = found.systemIdentifier;
  if (systemIdentifier !== undefined && server !== undefined && systemIdentifier !== server)
    throw new Error(
      `archive ${path} is of database "${found.database}" of the server with system identifier ${server}, not of ${systemIdentifier}`,
    );
  if (runUid !== undefined && runUid !== found.runUid)
    throw new Error(`archive ${path} was swapped: it is that of run ${found.run} (UID ${found.runUid})`);
  if (sha256 !== undefined && sha256 !== found.sha256)
    throw new Error(`archive ${path} was swapped: it is the one with SHA-256 ${found.sha256}, not ${sha256}`);
}

/** Removes an archive with what is beside it: the record first, so that no half of it counts as finished. */
export async function removeArchive(path: string): Promise<void> {
  const scripts = SCRIPTS.map((name) => scriptFile(path, name));
  for (const file of [recordFile(path), manifestFile(path), ...scripts, path])
    await rm(file, { recursive: true, force: true });
}
