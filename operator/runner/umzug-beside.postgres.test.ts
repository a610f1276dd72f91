import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { execa } from 'execa';
import { startPostgres, type Postgres } from '../../e2e/cluster/postgres.ts';
import { HOLDER_TABLE } from './postgres/holder-table.ts';
import { Session } from './postgres/session.ts';
import { until } from './postgres/wait.ts';
import { expectExactly, MIGRATED } from './testing/exactly.ts';
import { conduct } from './testing/operator.ts';
import { Scenario, WAITING_FILES } from './testing/scenario.ts';

const ROOT = join(import.meta.dirname, '../..');

async function document(): Promise<string> {
  return readFile(join(ROOT, 'docs/adopting.md'), 'utf8');
}

/** The document's programs, in their order. */
async function programs(): Promise<string[]> {
  return [...(await document()).matchAll(/^```js\n(.*?)^```$/gms)].map(([, block]) => block!);
}

/** Takes as long as a session named `hold umzug` is there. */
const MIGRATION = `
  CREATE TABLE made_by_umzug (n int);
  DO $$ BEGIN
    WHILE EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'hold umzug') LOOP PERFORM pg_sleep(0.01), pg_stat_clear_snapshot(); END LOOP;
  END $$`;

describe('docs/adopting.md: a plain umzug run and a PhaseMigration', function () {
  this.timeout(60_000);
  let server: Postgres;
  let scenario: Scenario;
  let folder: string;
  const sessions: Session[] = [];

  before(async () => {
    server = await startPostgres();
    folder = await mkdtemp(join(tmpdir(), 'phase-migration-umzug-'));
    const [alone, migrate, ...others] = await programs();
    expect(others).deep.equal([]);
    await writeFile(join(folder, 'alone.mjs'), alone!);
    await writeFile(join(folder, 'migrate.mjs'), migrate!);
    await mkdir(join(folder, 'migrations'));
    await writeFile(join(folder, 'migrations', '1.sql'), MIGRATION);
    await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  });
  after(async () => {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  });
  afterEach(async () => {
    for (const session of sessions.splice(0)) session.destroy();
    await scenario.end();
  });

  async function hold(application: string): Promise<Session> {
    const session = await Session.open({ ...server, user: 'postgres', database: 'postgres' }, 'postgres', application);
    sessions.push(session);
    return session;
  }

  const umzug = () =>
    execa(process.execPath, ['migrate.mjs'], {
      cwd: folder,
      extendEnv: false,
      env: { DATABASE_URL: scenario.url, USER: 'anna' },
      reject: false,
    });

  const madeByUmzug = () => scenario.sql(`SELECT count(*) FROM pg_class WHERE relname = 'made_by_umzug'`);

  it('have the table that the runner makes', async () => {
    expect(await document()).contain(HOLDER_TABLE);
    scenario = await Scenario.create(server);
  });

  it('the run waits for umzug, says whose it is, and goes on when that has ended', async () => {
    scenario = await Scenario.create(server);
    const held = await hold('hold umzug');
    const migrating = umzug();
    await until(10_000, 'umzug at its work', async () => (await scenario.holder())?.['step'] === 'umzug');
    const operator = conduct(scenario, {});
    const runner = scenario.start();
    const { waitingFor } = await scenario.memory.when((status) => status.waitingFor !== undefined, 'the wait');
    expect(waitingFor)
      .match(
        /^Database "shop \d+" is being worked on by anna@\S+, at step umzug, since \d{4}-.*Z, last heartbeat \d{4}-/,
      )
      .and.contain(`its session is "umzug anna@${hostname()}" (role "${scenario.owner}"`);
    expect(scenario.memory.runner.steps?.some(({ name }) => name === 'Backup')).equal(false);
    await held.close();
    const { exitCode, stderr } = await migrating;
    expect(stderr).equal('');
    expect(exitCode).equal(0);
    expect(await Promise.race([runner.ended, operator.failed])).equal('Finished');
    operator.stop();
    await expectExactly(scenario, MIGRATED);
    expect(await madeByUmzug()).equal('1');
  });

  it('umzug is refused while the run goes on, with its name and step, and disturbs nothing', async () => {
    scenario = await Scenario.create(server, { files: WAITING_FILES });
    const held = await hold(`hold ${scenario.database}`);
    const operator = conduct(scenario, {});
    const runner = scenario.start();
    await until(10_000, 'the migration', async () => (await scenario.holder())?.['step'] === 'Migrate');
    const { exitCode, stderr } = await umzug();
    expect(exitCode).equal(1);
    const { name } = scenario.memory.run.metadata;
    expect(stderr).contain(
      `Database "${scenario.database}" is being worked on by {"holder":"shop/${name}","epoch":1,"pod":null,"step":"Migrate","started_at"`,
    );
    await held.close();
    expect(await Promise.race([runner.ended, operator.failed])).equal('Finished');
    operator.stop();
    await expectExactly(scenario, MIGRATED);
    expect(await madeByUmzug()).equal('0');
  });

  it('umzug waits for a run whose connection broke a moment ago, and not for one that is gone', async () => {
    scenario = await Scenario.create(server);
    await server.psql(
      `INSERT INTO phasemigration.holder (database, holder, run_uid, epoch, step, lock_key, lock_pid)
       VALUES ('${scenario.database}', 'shop/lost-1', 'uid', 3, 'Migrate', 0, 0)`,
    );
    const refused = await umzug();
    expect(refused.stderr).contain('is being worked on by {"holder":"shop/lost-1","epoch":3');
    expect(refused.exitCode).equal(1);
    expect(await madeByUmzug()).equal('0');
    await server.psql(`UPDATE phasemigration.holder SET heartbeat_at = now() - interval '61 seconds'`);
    expect((await umzug()).exitCode).equal(0);
    expect(await madeByUmzug()).equal('1');
    expect(await scenario.holder()).equal(undefined);
  });
});
