import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { access, chmod, chown, copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { execa } from 'execa';
import { Client, DatabaseError } from 'pg';
import { freePort } from '../../../e2e/cluster/ports.ts';

const environment = { OWNER_PASSWORD: `owner's "secret"`, APP_PASSWORD: 'app-secret' };

/** The script runs as it does in the image, only with this machine's PostgreSQL. */
describe('the entrypoint of the planner’s PostgreSQL', function () {
  this.timeout(60_000);
  let folder: string;
  let port: number;
  let server: ChildProcess | undefined;
  let output: string;
  let clients: Client[];

  beforeEach(async () => {
    clients = [];
    folder = await mkdtemp(join(tmpdir(), 'planner-postgres-'));
    port = await freePort();
    // The user that PostgreSQL runs as may not be allowed to read this repository.
    await copyFile(fileURLToPath(new URL('entrypoint.sh', import.meta.url)), join(folder, 'entrypoint.sh'));
    await chmod(join(folder, 'entrypoint.sh'), 0o755);
    if (process.getuid?.() === 0) {
      const [uid, gid] = await Promise.all(
        ['-u', '-g'].map(async (flag) => Number((await execa('id', [flag, 'postgres'])).stdout)),
      );
      await chown(folder, uid!, gid!);
    }
  });
  afterEach(async () => {
    // A server that waits for its clients, which a test here forbids, still has to end with the test.
    for (const client of clients) await client.end().catch(() => undefined);
    if (server) await end(server, 'SIGTERM');
    await rm(folder, { recursive: true, force: true });
  });

  function start(passwords: Record<string, string> = environment): ChildProcess {
    const script = [join(folder, 'entrypoint.sh'), '-p', String(port), '-c', 'fsync=off'];
    const asPostgres = process.getuid?.() === 0 ? ['--reuid=postgres', '--regid=postgres', '--init-groups'] : [];
    // Told to end when this process dies, however it does.
    const args = ['--pdeathsig=TERM', ...asPostgres, '--', ...script];
    const env = { PATH: process.env['PATH'], PGDATA: join(folder, 'data'), SOCKET_DIRECTORY: folder, ...passwords };
    const child = spawn('setpriv', args, { env, cwd: '/', stdio: ['ignore', 'pipe', 'pipe'] });
    output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => (output += text.toString()));
    return child;
  }

  async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
    if (child.exitCode === null && child.signalCode === null) {
      const exited = once(child, 'exit');
      child.kill(signal);
      await exited;
    }
    server = undefined;
    return child.exitCode;
  }

  async function connect(user: string, password: string, database = 'planner'): Promise<Client> {
    for (;;) {
      const client = new Client({ host: '127.0.0.1', port, user, password, database });
      client.on('error', () => undefined);
      try {
        await client.connect();
        clients.push(client);
        return client;
      } catch (error) {
        // Until it listens; what the server itself refuses is the answer.
        const starting = error instanceof DatabaseError && error.code === '57P03';
        if (server?.exitCode !== null || (error instanceof DatabaseError && !starting)) throw error;
      }
    }
  }

  const refused = async (user: string, password: string, database?: string) => {
    const outcome: unknown = await connect(user, password, database).catch((error: unknown) => error);
    return outcome instanceof DatabaseError ? outcome.code : 'connected';
  };

  it('makes the database, its owner and the role of the backend, with no more rights than they need', async () => {
    server = start();
    const owner = await connect('planner_owner', environment.OWNER_PASSWORD);
    const { rows } = await owner.query(
      `SELECT rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls,
         pg_has_role('pg_signal_backend', 'MEMBER') AS signals, pg_has_role('pg_read_all_stats', 'MEMBER') AS sees,
         pg_has_role('pg_checkpoint', 'MEMBER') AS flushes,
         (SELECT datdba = roles.oid FROM pg_database WHERE datname = 'planner') AS owns
       FROM pg_roles AS roles WHERE rolname = current_user`,
    );
    expect(rows).to.deep.equal([
      {
        rolsuper: false,
        rolcreatedb: true,
        rolcreaterole: true,
        rolreplication: false,
        rolbypassrls: false,
        signals: true,
        sees: true,
        flushes: true,
        owns: true,
      },
    ]);
    await owner.query('ALTER ROLE planner_app NOLOGIN');
    expect(await refused('planner_app', environment.APP_PASSWORD)).to.equal('28000');
    await owner.query('ALTER ROLE planner_app LOGIN');
    const app = await connect('planner_app', environment.APP_PASSWORD);
    const forbidden: unknown = await app.query('CREATE TABLE t ()').catch((error: unknown) => error);
    expect(forbidden).to.be.instanceOf(DatabaseError).with.property('code', '42501');
    expect(await refused('planner_owner', 'wrong')).to.equal('28P01');
    expect(await refused('postgres', '', 'postgres')).to.equal('28000');
    expect(output).not.to.include('secret');
  });

  it('ends on SIGTERM although clients are connected, and starts again on the same data without passwords', async () => {
    server = start();
    const owner = await connect('planner_owner', environment.OWNER_PASSWORD);
    await owner.query('CREATE TABLE kept AS SELECT 1 AS one');
    const begin = performance.now();
    expect(await end(server, 'SIGTERM')).to.equal(0);
    expect(performance.now() - begin).to.be.lessThan(10_000);

    server = start({});
    const again = await connect('planner_owner', environment.OWNER_PASSWORD);
    expect((await again.query('SELECT one FROM kept')).rows).to.deep.equal([{ one: 1 }]);
    expect(output).not.to.include('Making a new database cluster');
  });

  it('says what it needs on an empty volume', async () => {
    server = start({ APP_PASSWORD: 'x' });
    const [code] = (await once(server, 'exit')) as [number];
    expect(code).to.be.greaterThan(0);
    expect(output).to.include('OWNER_PASSWORD: must be set to make a new database');
  });

  it('makes a new cluster after one that was never finished', async () => {
    server = start();
    while (!output.includes('Making a new database cluster')) await once(server.stdout!, 'data');
    while (!(await exists(join(folder, 'data.initialising', 'PG_VERSION'))));
    await end(server, 'SIGTERM');
    expect(await exists(join(folder, 'data'))).to.be.false;
    server = start();
    await connect('planner_owner', environment.OWNER_PASSWORD);
    expect(await exists(join(folder, 'data.initialising'))).to.be.false;
  });
});

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
