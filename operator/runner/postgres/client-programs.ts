import { spawn, type ChildProcess } from 'node:child_process';
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { basename, delimiter, join } from 'node:path';
import { redact } from '../../kube/redact.ts';
import { messageOf } from '../../kube/message-of.ts';

type Name = 'pg_dump' | 'pg_restore';

const LONGEST_OUTPUT = 4000;

/** A client program was cut off from the server, or did not find it: nothing is said of what it was doing. */
export class ProgramCutOff extends Error {
  override readonly name = 'ProgramCutOff';
}

/**
 * libpq's words for that (fe-connect.c, fe-misc.c, and the server's own last ones). A parallel pg_dump has one sentence
 * both for a worker that was cut off while it locked a table and for one that found somebody waiting to lock it
 * (lockTableForWorker in parallel.c): either is over when it is started again.
 */
const CUT_OFF = new RegExp(
  [
    'server closed the connection unexpectedly',
    'could not (receive data from|send data to) server',
    'no connection to the server',
    'terminating connection',
    'could not obtain lock on relation',
    'connection to server .* failed: (Connection (refused|timed out|reset)|timeout expired|No route to host)',
    'the database system is (starting up|shutting down|in recovery mode|not yet accepting connections)',
  ].join('|'),
);

/** Where a client program of the server's major version is: a newer pg_dump writes what an older server cannot read. */
export async function clientProgram(name: Name, major: number): Promise<string | undefined> {
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

/** @throws Error when there is none */
export async function requireProgram(name: Name, major: number): Promise<string> {
  const program = await clientProgram(name, major);
  if (!program) throw new Error(`there is no ${name} of version ${major}`);
  return program;
}

async function majorOf(program: string): Promise<number | undefined> {
  const output = await runProgram(program, ['--version'], {}).catch(() => '');
  const match = /\b([0-9]+)(?:\.[0-9]+)*/.exec(output);
  return match ? Number(match[1]) : undefined;
}

const zstdOf = new Map<string, Promise<boolean>>();

/**
 * Whether a pg_dump can compress with zstd: since version 16, where it was built so. It judges its options before it
 * connects anywhere, so it is told to and given no database to connect to.
 */
export function canZstd(pgDump: string): Promise<boolean> {
  const ask = async () => {
    const args = ['--format=custom', '--compress=zstd:1', '--dbname=not_a_connection_option=1'];
    const complaint = await runProgram(pgDump, args, { LC_ALL: 'C' }).then(() => '', messageOf);
    return !complaint.includes('compress');
  };
  const known = zstdOf.get(pgDump) ?? ask();
  zstdOf.set(pgDump, known);
  return known;
}

/**
 * Runs a client program to its end.
 *
 * @returns the beginning of what it printed
 * @throws Error with the program's own message
 */
export async function runProgram(
  program: string,
  args: string[],
  env: Record<string, string>,
  signal?: AbortSignal,
): Promise<string> {
  const path = process.env.PATH ?? '/usr/bin:/bin';
  const child = spawn(program, args, { env: { PATH: path, ...env }, stdio: ['ignore', 'pipe', 'pipe'], signal });
  let output = '';
  child.stdout.on('data', (text: Buffer) => (output = (output + text.toString()).slice(0, LONGEST_OUTPUT)));
  await endOf(child, basename(program));
  return output;
}

/**
 * Resolves when a program has ended well.
 *
 * @throws ProgramCutOff, Error with the end of its own complaint
 */
export function endOf(child: ChildProcess, name: string): Promise<void> {
  let complaint = '';
  child.stderr?.on('data', (text: Buffer) => (complaint = (complaint + text.toString()).slice(-LONGEST_OUTPUT)));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (code === 0) return resolve();
      const words = redact(complaint.trim()) || 'it said nothing';
      const end = `${name} ended with ${signal ?? `code ${code}`}: ${words}`;
      reject(CUT_OFF.test(complaint) ? new ProgramCutOff(end) : new Error(end));
    });
  });
}
