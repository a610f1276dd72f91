import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { constants, createReadStream, createWriteStream } from 'node:fs';
import { access, mkdir, open, rename, rm } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { redact } from '../../kube/redact.ts';
import { libpqEnvironment, type DatabaseAddress } from './url.ts';

export interface Archive {
  path: string;
  sha256: string;
  sizeBytes: number;
}

const LONGEST_COMPLAINT = 2000;

/** Where a client program of the server's major version is: a newer pg_dump writes what an older server cannot read. */
export async function clientProgram(name: 'pg_dump' | 'pg_restore', major: number): Promise<string | undefined> {
  const folders = [
    `/usr/lib/postgresql/${major}/bin`,
    `/usr/pgsql-${major}/bin`,
    ...(process.env.PATH ?? '').split(delimiter),
  ];
  for (const folder of folders) {
    const path = join(folder, name);
    try {
      await access(path, constants.X_OK);
    } catch {
      continue;
    }
    if (folder.includes(String(major)) || (await majorOf(path)) === major) return path;
  }
  return undefined;
}

async function majorOf(program: string): Promise<number | undefined> {
  const output = await run(program, ['--version'], {}).catch(() => '');
  const match = /\b([0-9]+)(?:\.[0-9]+)*/.exec(output);
  return match ? Number(match[1]) : undefined;
}

export interface DumpOptions {
  address: DatabaseAddress;
  database: string;
  application: string;
  major: number;
  signal: AbortSignal;
}

/**
 * Writes a custom-format archive: under another name while it is being written, hashed on the way, on the disk before
 * it gets its name.
 *
 * @throws Error with pg_dump's own message
 */
export async function dumpDatabase(path: string, options: DumpOptions): Promise<Archive> {
  const program = await clientProgram('pg_dump', options.major);
  if (!program) throw new Error(`there is no pg_dump of version ${options.major}`);
  const partial = `${path}.partial`;
  await mkdir(dirname(path), { recursive: true });
  const compression = options.major >= 16 ? 'zstd:1' : '1';
  const args = ['--format=custom', `--compress=${compression}`, '--no-password'];
  const child = spawn(program, args, {
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
  try {
    await Promise.all([pipeline(child.stdout, count, createWriteStream(partial, { mode: 0o600 })), ended]);
    await flushToDisk(partial);
    await rename(partial, path);
    await flushToDisk(dirname(path));
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
  return { path, sha256: hash.digest('hex'), sizeBytes };
}

function environment(options: Omit<DumpOptions, 'major' | 'signal'>): Record<string, string> {
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

/** SHA-256 of a file, or undefined when there is none. */
export async function hashFile(path: string): Promise<string | undefined> {
  const hash = createHash('sha256');
  try {
    for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  return hash.digest('hex');
}

/**
 * Reads an archive whole: once for its hash and once through pg_restore, which decompresses and parses everything.
 * `pg_restore --list` reads the table of contents only, and is content with a truncated archive.
 *
 * @throws Error saying what is wrong with it
 */
export async function readArchive(archive: Archive, options: Pick<DumpOptions, 'major' | 'signal'>): Promise<void> {
  const sha256 = await hashFile(archive.path);
  if (sha256 !== archive.sha256)
    throw new Error(`archive ${archive.path} is ${sha256 ? 'not what was written: its SHA-256 differs' : 'gone'}`);
  await restoreProgram(['--file=/dev/null', archive.path], {}, options);
}

/** Restores an archive into an empty database. */
export async function restoreArchive(path: string, options: DumpOptions): Promise<void> {
  const args = ['--exit-on-error', '--no-password', `--dbname=${libpqQuote(options.database)}`, path];
  await restoreProgram(args, environment(options), options);
}

/** --dbname takes a whole connection string: a name with an equals sign in it must not be read as one. */
function libpqQuote(database: string): string {
  return `dbname='${database.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}

async function restoreProgram(
  args: string[],
  env: Record<string, string>,
  options: Pick<DumpOptions, 'major' | 'signal'>,
): Promise<void> {
  const program = await clientProgram('pg_restore', options.major);
  if (!program) throw new Error(`there is no pg_restore of version ${options.major}`);
  await run(program, args, env, options.signal);
}

async function run(
  program: string,
  args: string[],
  env: Record<string, string>,
  signal?: AbortSignal,
): Promise<string> {
  const path = process.env.PATH ?? '/usr/bin:/bin';
  const child = spawn(program, args, { env: { PATH: path, ...env }, stdio: ['ignore', 'pipe', 'pipe'], signal });
  let output = '';
  child.stdout.on('data', (text: Buffer) => (output = (output + text.toString()).slice(-LONGEST_COMPLAINT)));
  await endOf(child, program.split('/').at(-1)!);
  return output;
}

function endOf(child: ReturnType<typeof spawn>, name: string): Promise<void> {
  let complaint = '';
  child.stderr?.on('data', (text: Buffer) => (complaint = (complaint + text.toString()).slice(-LONGEST_COMPLAINT)));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (code === 0) resolve();
      else
        reject(
          new Error(`${name} ended with ${signal ?? `code ${code}`}: ${redact(complaint.trim()) || 'it said nothing'}`),
        );
    });
  });
}
