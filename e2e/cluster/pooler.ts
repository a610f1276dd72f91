import { once } from 'node:events';
import { chmod, rm, writeFile } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { execa } from 'execa';
import { ensureSystemPackages } from './offline/system-packages.ts';
import { freePort } from './ports.ts';
import { startService } from './service.ts';
import { makeThrowawayFolder } from './throwaway.ts';

/** A real PgBouncer in front of a server, in transaction mode: what the runner must not be given. */
export async function startPooler(server: { host: string; port: number; user: string }): Promise<{
  port: number;
  /** Runs SQL in a session of the pool. */
  ask: (sql: string) => Promise<string>;
  stop: () => Promise<void>;
}> {
  await ensureSystemPackages(['pgbouncer']);
  const folder = await makeThrowawayFolder('pgbouncer');
  const port = await freePort();
  const configuration = join(folder, 'pgbouncer.ini');
  const lines = [
    ...[
      '[databases]',
      `* = host=${server.host} port=${server.port} user='${server.user}'`,
      '[pgbouncer]',
      'pool_mode = transaction',
    ],
    ...['listen_addr = 127.0.0.1', `listen_port = ${port}`, 'unix_socket_dir ='],
    ...['auth_type = any', 'server_tls_sslmode = disable', 'ignore_startup_parameters = extra_float_digits'],
  ];
  await writeFile(configuration, lines.join('\n'));
  const EVERYBODY_MAY_READ = 0o755;
  await chmod(folder, EVERYBODY_MAY_READ);
  const service = await startService({
    name: 'PgBouncer',
    command: '/usr/sbin/pgbouncer',
    args: [configuration],
    logFile: join(folder, 'log'),
    // It refuses to run as root.
    ...(process.getuid?.() === 0 ? { user: 'postgres' } : {}),
    onOwnerDeath: 'KILL',
  });
  await service.waitUntil(() => answers(port), 10_000);
  const stop = async () => {
    await service.stop('SIGKILL');
    await rm(folder, { recursive: true, force: true });
  };
  const ask = async (sql: string) => {
    const url = `postgres://${encodeURIComponent(server.user)}@127.0.0.1:${port}/postgres`;
    return (await execa('psql', ['-XqAt', url, '-c', sql])).stdout;
  };
  return { port, ask, stop };
}

async function answers(port: number): Promise<boolean> {
  const socket = createConnection(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
