import { existsSync } from 'node:fs';
import { chown, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { execa } from 'execa';
import { ensureSystemPackages } from './offline/system-packages.ts';
import { freePort } from './ports.ts';
import { startService, type Service } from './service.ts';
import { mountSmallDisk } from './small-disk.ts';
import { isRunning, makeThrowawayFolder, removeThrowawayFolder } from './throwaway.ts';

export interface PostgresOptions {
  /** Major version; the one that Debian 12 packages. */
  version?: 15;
  /** Lines of postgresql.conf, for instance `{ max_prepared_transactions: '5' }`. */
  settings?: Record<string, string>;
  /** Lines of pg_hba.conf that come before the one that trusts everybody on loopback. */
  hostBasedAuthentication?: string[];
  /** Size of the data's disk, for what happens when it is full. Needs root. */
  diskMebibytes?: number;
}

/** A PostgreSQL server of its own for one test, on loopback TCP, where the superuser `postgres` needs no password. */
export interface Postgres {
  readonly host: string;
  readonly port: number;
  /** Where its data lies. */
  readonly folder: string;
  /** URL of the database `postgres` as superuser. */
  readonly superuserUrl: string;
  /** URL of the named database as superuser. */
  adminUrl(database: string): string;
  /** Runs SQL with psql as superuser; resolves with unaligned rows, rejects with psql's own message on the first error. */
  psql(sql: string, database?: string): Promise<string>;
  /** Ends every process of the server at once, as when a machine loses power; resolves when all are gone. */
  crash(): Promise<void>;
  /** Starts again on the same port with the same data, after stopping in `fast` mode where it still runs. */
  restart(): Promise<void>;
  /** Stops the server and removes its data. May be called again. */
  stop(): Promise<void>;
}

const host = '127.0.0.1';
const superuser = 'postgres';
const startTimeoutMs = 60_000;
/** More than any test writes; only what is written takes memory. */
const DISK_MEBIBYTES = 4096;

/**
 * Starts a throw-away PostgreSQL server (about 1.5 s). It ends with this process, even when that is killed.
 *
 * Its data lies in memory where that can be had, and nothing is flushed (fsync=off): a crash of its processes loses
 * nothing, a crash of the machine would.
 *
 * @throws Error with the end of the server's log when it does not start
 */
export async function startPostgres(options: PostgresOptions = {}): Promise<Postgres> {
  const version = options.version ?? 15;
  const binaries = `/usr/lib/postgresql/${version}/bin`;
  if (!existsSync(join(binaries, 'postgres')))
    await ensureSystemPackages([`postgresql-${version}`, `postgresql-client-${version}`]);

  const folder = await makeThrowawayFolder('postgres');
  const data = join(folder, 'data');
  const logFile = join(folder, 'log');
  const port = await freePort();
  await initialise(binaries, folder, options);

  let server = await start();

  async function start(): Promise<Service> {
    const service = await startService({
      name: `PostgreSQL ${version}`,
      command: join(binaries, 'postgres'),
      args: ['-D', data, '-p', String(port)],
      logFile,
      user: unprivilegedUser(),
      onOwnerDeath: 'QUIT',
    });
    await service.waitUntil(async () => {
      const { exitCode } = await execa(join(binaries, 'pg_isready'), ['-h', host, '-p', String(port), '-q'], {
        reject: false,
      });
      return exitCode === 0;
    }, startTimeoutMs);
    return service;
  }

  const adminUrl = (database: string) => `postgres://${superuser}@${host}:${port}/${encodeURIComponent(database)}`;
  return {
    host,
    port,
    folder: data,
    superuserUrl: adminUrl('postgres'),
    adminUrl,
    psql: async (sql, database = 'postgres') => {
      const flags = ['-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-f', '-'];
      const { stdout } = await execa(join(binaries, 'psql'), [...flags, adminUrl(database)], { input: sql });
      return stdout;
    },
    crash: () => crash(server),
    restart: async () => {
      await server.stop('SIGINT');
      server = await start();
    },
    stop: async () => {
      await server.stop('SIGINT');
      await removeThrowawayFolder(folder);
    },
  };
}

async function initialise(binaries: string, folder: string, options: PostgresOptions): Promise<void> {
  const data = join(folder, 'data');
  const user = unprivilegedUser();
  await mkdir(data, { mode: 0o700 });
  if (user) {
    const ids = await Promise.all(['-u', '-g'].map(async (flag) => Number((await execa('id', [flag, user])).stdout)));
    await mountDisk(data, options.diskMebibytes);
    for (const path of [folder, data]) await chown(path, ids[0]!, ids[1]!);
  }
  const initdb = ['-D', data, '-U', superuser, '--auth=trust', '--encoding=UTF8', '--locale=C.UTF-8', '--no-sync'];
  const asUser = user ? ['setpriv', `--reuid=${user}`, `--regid=${user}`, '--init-groups', '--'] : [];
  const [command, ...args] = [...asUser, join(binaries, 'initdb'), ...initdb] as [string, ...string[]];
  await execa(command, args, { cwd: '/' });
  await appendSettings(data, options);
}

/**
 * Each database is some 300 files, and tests make and drop hundreds of databases: on ext4, which passes over the inodes
 * of files that were deleted a moment ago one by one, that took a tenth of their time.
 */
async function mountDisk(data: string, mebibytes: number | undefined): Promise<void> {
  if (mebibytes !== undefined) return mountSmallDisk(data, mebibytes);
  // Root of a container may not mount; a folder does as well.
  await mountSmallDisk(data, DISK_MEBIBYTES).catch(() => undefined);
}

async function appendSettings(data: string, options: PostgresOptions): Promise<void> {
  const settings = {
    listen_addresses: host,
    unix_socket_directories: '',
    fsync: 'off',
    full_page_writes: 'off',
    ...options.settings,
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name} = '${value.replaceAll("'", "''")}'`);
  await writeFile(join(data, 'postgresql.auto.conf'), `${lines.join('\n')}\n`, { flag: 'a' });
  const authentication = join(data, 'pg_hba.conf');
  const before = options.hostBasedAuthentication ?? [];
  await writeFile(authentication, [...before, await readFile(authentication, 'utf8')].join('\n'));
}

/** PostgreSQL refuses to run as root. */
function unprivilegedUser(): string | undefined {
  return process.getuid?.() === 0 ? 'postgres' : undefined;
}

async function crash(server: Service): Promise<void> {
  const children = await childrenOf(server.pid);
  await server.stop('SIGKILL');
  // A backend in the middle of a query outlives the postmaster, and a new one refuses to start beside it.
  for (const pid of children) killIfRunning(pid);
  while (children.some(isRunning)) await delay(5);
}

async function childrenOf(pid: number): Promise<number[]> {
  const list = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  return list.trim().split(/\s+/).filter(Boolean).map(Number);
}

function killIfRunning(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
