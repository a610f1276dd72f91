import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { archiveOf, hashFolder, type Archive, type ArchiveFile, type ArchiveFormat } from './archive.ts';
import { canZstd, endOf, requireProgram, runProgram } from './client-programs.ts';
import { libpqEnvironment, type DatabaseAddress } from './url.ts';

export interface DumpOptions {
  address: DatabaseAddress;
  database: string;
  application: string;
  major: number;
  signal: AbortSignal;
  /** Asked right before a program is started, whose own connections no lock of ours guards; rejects when it must not be. */
  mayStart?: () => Promise<void>;
  format: ArchiveFormat;
  /** Auto: the fastest that this pg_dump has. */
  compression: 'Auto' | 'Gzip' | 'None';
  /** Connections that work at the same time, with format Directory. */
  jobs: number;
  /** Of pg_export_snapshot(): the moment that is dumped. */
  snapshot?: string;
}

/** The value of pg_dump's --compress. Level 1 of zstd takes a third of level 1 of gzip's time. */
export async function compressionFor(program: string, wanted: DumpOptions['compression']): Promise<string> {
  if (wanted === 'None') return '0';
  return wanted === 'Auto' && (await canZstd(program)) ? 'zstd:1' : '1';
}

/**
 * Writes an archive: under another name while it is being written, on the disk before it gets its name, in the place of
 * whatever an earlier start left there. A custom archive is hashed on its way to the file; the files of a folder, which
 * pg_dump's workers write, as soon as it has ended.
 *
 * @throws Error with pg_dump's own message
 */
export async function dumpDatabase(path: string, options: DumpOptions): Promise<Archive> {
  const program = await requireProgram('pg_dump', options.major);
  const partial = `${path}.partial`;
  await mkdir(dirname(path), { recursive: true });
  await rm(partial, { recursive: true, force: true });
  const compression = await compressionFor(program, options.compression);
  const moment = options.snapshot ? [`--snapshot=${options.snapshot}`] : [];
  const args = ['--no-password', `--compress=${compression}`, ...moment];
  try {
    const files = await (options.format === 'Custom' ? dumpFile : dumpFolder)(
      { program, args, partial, path },
      options,
    );
    await rm(path, { recursive: true, force: true });
    await rename(partial, path);
    await flushToDisk(dirname(path));
    return archiveOf({ path, format: options.format, compression }, files);
  } catch (error) {
    await rm(partial, { recursive: true, force: true });
    throw error;
  }
}

interface Dumping {
  program: string;
  args: string[];
  partial: string;
  path: string;
}

async function dumpFile({ program, args, partial, path }: Dumping, options: DumpOptions): Promise<ArchiveFile[]> {
  await options.mayStart?.();
  const child = spawn(program, ['--format=custom', ...args], {
    env: environment(options),
    stdio: ['ignore', 'pipe', 'pipe'],
    signal: options.signal,
  });
  const ended = endOf(child, 'pg_dump');
  const hash = createHash('sha256');
  let sizeBytes = 0;
  const count = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      sizeBytes += chunk.length;
      done(null, chunk);
    },
  });
  await Promise.all([pipeline(child.stdout, count, createWriteStream(partial, { mode: 0o600 })), ended]);
  await flushToDisk(partial);
  return [{ name: basename(path), sizeBytes, sha256: hash.digest('hex') }];
}

async function dumpFolder({ program, args, partial, path }: Dumping, options: DumpOptions): Promise<ArchiveFile[]> {
  const folder = ['--format=directory', `--jobs=${options.jobs}`, `--file=${partial}`];
  await options.mayStart?.();
  // It flushes what it writes into a folder to the disk by itself.
  await runProgram(program, [...folder, ...args], environment(options), options.signal);
  return hashFolder(partial, basename(path), options.signal);
}

function environment(options: DumpOptions): Record<string, string> {
  return libpqEnvironment(options.address, options);
}

async function flushToDisk(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Restores an archive into an empty database, without what the flags of pg_restore leave out. */
export async function restoreArchive(path: string, options: DumpOptions, leaveOut: string[] = []): Promise<void> {
  const program = await requireProgram('pg_restore', options.major);
  const jobs = options.format === 'Directory' ? [`--jobs=${options.jobs}`] : [];
  const how = ['--exit-on-error', '--no-password', ...leaveOut, ...jobs];
  const args = [...how, `--dbname=${libpqQuote(options.database)}`, path];
  await options.mayStart?.();
  await runProgram(program, args, environment(options), options.signal);
}

/** --dbname takes a whole connection string: a name with an equals sign in it must not be read as one. */
function libpqQuote(database: string): string {
  return `dbname='${database.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
