import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { requireProgram, runProgram } from './client-programs.ts';

export type ArchiveFormat = 'Custom' | 'Directory';

export interface ArchiveFile {
  /** Beside the archive's folder: `shop.dump`, or `shop.dump/toc.dat`. */
  name: string;
  sizeBytes: number;
  sha256: string;
}

/** What pg_dump wrote: one file (Custom) or a folder of them (Directory). */
export interface Archive {
  path: string;
  format: ArchiveFormat;
  /** The value of pg_dump's --compress. */
  compression: string;
  /** Custom: of the file. Directory: of `manifestOf` its files. */
  sha256: string;
  sizeBytes: number;
  files: ArchiveFile[];
}

/** The files with their hashes as `sha256sum --check` reads them. */
export function manifestOf(files: ArchiveFile[]): string {
  return files.map(({ name, sha256 }) => `${sha256}  ${name}\n`).join('');
}

/** An archive that consists of these files. */
export function archiveOf(about: Pick<Archive, 'path' | 'format' | 'compression'>, files: ArchiveFile[]): Archive {
  const { format } = about;
  const sha256 = format === 'Custom' ? files[0]!.sha256 : createHash('sha256').update(manifestOf(files)).digest('hex');
  return { ...about, sha256, sizeBytes: files.reduce((sum, file) => sum + file.sizeBytes, 0), files };
}

async function hashFile(path: string, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { signal })) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

/** Hashes what pg_dump has just written into a folder, which will be called `name`. */
export async function hashFolder(folder: string, name: string, signal: AbortSignal): Promise<ArchiveFile[]> {
  const files: ArchiveFile[] = [];
  for (const file of (await readdir(folder)).sort()) {
    const path = join(folder, file);
    files.push({ name: `${name}/${file}`, sizeBytes: (await stat(path)).size, sha256: await hashFile(path, signal) });
  }
  return files;
}

/**
 * Reads an archive whole: once for its hashes and once through pg_restore, which decompresses and parses everything.
 * `pg_restore --list` reads the table of contents only, and is content with a truncated archive.
 *
 * @throws Error saying what is wrong with it: missing, truncated, changed, or what pg_restore says
 */
export async function readArchive(archive: Archive, options: { major: number; signal: AbortSignal }): Promise<void> {
  await refuseDamaged(archive, options);
  const program = await requireProgram('pg_restore', options.major);
  await runProgram(program, ['--file=/dev/null', archive.path], {}, options.signal);
}

async function refuseDamaged(archive: Archive, options: { major: number; signal: AbortSignal }): Promise<void> {
  const { path, format, files } = archive;
  if (archiveOf(archive, files).sha256 !== archive.sha256)
    throw new Error(
      `the hashes of the files of archive ${path} are not those that SHA-256 ${archive.sha256} was taken of`,
    );
  const found = await stat(path).catch(ignoreMissing);
  if (!found) throw new Error(`archive ${path} is missing`);
  if (found.isDirectory() !== (format === 'Directory'))
    throw new Error(`archive ${path} was swapped: it is ${found.isDirectory() ? 'a folder' : 'no folder'}`);
  for (const file of files) await refuseDamagedFile(archive, file, options);
  if (format !== 'Directory') return;
  const known = new Set(files.map(({ name }) => basename(name)));
  const added = (await readdir(path)).filter((name) => !known.has(name));
  if (added.length > 0) throw new Error(`archive ${path} has a file that pg_dump did not write: ${added[0]}`);
}

async function refuseDamagedFile(
  archive: Archive,
  { name, sizeBytes, sha256 }: ArchiveFile,
  options: { major: number; signal: AbortSignal },
): Promise<void> {
  const path = join(dirname(archive.path), name);
  const what = archive.format === 'Custom' ? `archive ${path}` : `archive ${archive.path}: its file ${basename(name)}`;
  const found = await stat(path).catch(ignoreMissing);
  if (!found) throw new Error(`${what} is missing`);
  if (found.size < sizeBytes) throw new Error(`${what} is truncated: ${found.size} of ${sizeBytes} bytes`);
  const now = found.size > sizeBytes ? undefined : await hashFile(path, options.signal);
  if (now === sha256) return;
  const size = now === undefined ? `has ${found.size} bytes instead of ${sizeBytes}` : `has SHA-256 ${now}`;
  throw new Error(
    `${what} is not what was written: it ${size}, not SHA-256 ${sha256}${await whatItIs(archive.path, options)}`,
  );
}

/** What an archive that is another one says of itself, as far as pg_restore can read it. */
async function whatItIs(path: string, { major, signal }: { major: number; signal: AbortSignal }): Promise<string> {
  try {
    const list = await runProgram(await requireProgram('pg_restore', major), ['--list', path], {}, signal);
    const database = /^; +dbname: (.+)$/m.exec(list)?.[1];
    const created = /^; Archive created at (.+)$/m.exec(list)?.[1];
    return database && created ? `; it is an archive of database "${database}", created at ${created}` : '';
  } catch {
    // So damaged that it has nothing to say.
    return '';
  }
}

function ignoreMissing(error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
}
