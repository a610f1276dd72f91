import { cp, mkdtemp, readFile, rm, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { expect } from 'chai';
import { execa } from 'execa';
import { startPostgres, type Postgres } from '../../e2e/cluster/postgres.ts';
import { Session } from './postgres/session.ts';
import { CONTENT, everythingOf } from './testing/content.ts';
import { BACKUP, Scenario } from './testing/scenario.ts';

const DOCUMENT = join(import.meta.dirname, '../../docs/restore-by-hand.md');

/** The commands of the document, block by block. */
async function commands(): Promise<string[]> {
  const text = await readFile(DOCUMENT, 'utf8');
  return [...text.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block]) => block!);
}

describe('docs/restore-by-hand.md', function () {
  this.timeout(60_000);
  let server: Postgres;
  let anotherServer: Postgres;
  let scenario: Scenario;
  /** Where somebody copied the run's folder to. */
  let folder: string;

  before(async () => {
    [server, anotherServer] = await Promise.all([startPostgres(), startPostgres()]);
  });
  after(() => Promise.all([server.stop(), anotherServer.stop()]));
  beforeEach(async () => (folder = await mkdtemp(join(tmpdir(), 'phase-migration-copy '))));
  afterEach(async () => {
    await scenario.end();
    await rm(folder, { recursive: true, force: true });
  });

  for (const format of ['Custom', 'Directory'] as const)
    it(`(${format}) brings everything back on a server that has never seen it, with nothing of this project`, async () => {
      const archive = await backUp(format);
      expect(await restoreByHand(archive)).match(/\nALTER DATABASE\n6 tables compared$/);
      expect(await everythingOf(anotherServer, scenario.database)).equal(await everythingOf(server, scenario.database));
      expect(await loginsOf(anotherServer)).equal(await loginsOf(server));
    });

  for (const format of ['Custom', 'Directory'] as const)
    it(`(${format}) ends before anything is made when the archive is damaged`, async () => {
      const archive = await backUp(format);
      await truncate(format === 'Custom' ? archive : join(archive, 'toc.dat'), 100);
      const { stderr } = await restoreByHand(archive).then(
        () => expect.fail('it was restored'),
        (error: { stderr: string }) => error,
      );
      expect(stderr).match(/1 computed checksum did NOT match/);
      const made = await anotherServer.psql(`SELECT 1 FROM pg_database WHERE datname = '${scenario.database}'`);
      expect(made).equal('');
    });

  it('tells which tables are not as they were', async () => {
    const archive = await backUp('Custom');
    await restoreByHand(archive);
    await anotherServer.psql('DELETE FROM accounts.account_note WHERE n = 1', scenario.database);
    const compare = (await commands()).find((block) => block.includes('compare.sql'))!;
    expect(await shell(archive, [compare])).equal('accounts.account_note|3|2\n6 tables compared');
  });

  /** A backup of a database with everything, on a folder that was copied away. */
  async function backUp(format: 'Custom' | 'Directory'): Promise<string> {
    const databaseOptions = `TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'de-AT' LC_CTYPE 'C.UTF-8'`;
    scenario = await Scenario.create(server, { plan: { backup: { ...BACKUP, format } }, databaseOptions });
    await server.psql(`GRANT SET ON PARAMETER shop.tenant TO "${scenario.owner}"`);
    const content = `${CONTENT}; CREATE TABLE accounts.account_note AS SELECT n FROM generate_series(1, 3) n`;
    const names = content
      .replaceAll('DATABASE_NAME', `"${scenario.database}"`)
      .replaceAll('CLIENT', `"${scenario.client}"`);
    const owner = await Session.open({ ...server, user: scenario.owner, database: '' }, scenario.database, 'psql');
    await owner.query(names);
    await owner.close();
    const runner = scenario.start();
    await scenario.reach('Prepared');
    runner.kill();
    const { archive } = scenario.memory.runner.backup!;
    await cp(dirname(archive), folder, { recursive: true });
    await rm(dirname(archive), { recursive: true });
    return join(folder, basename(archive));
  }

  /** Carries the document out, command by command; resolves with what was printed. */
  async function restoreByHand(archive: string): Promise<string> {
    const [values, ...rest] = await commands();
    expect(values, 'the first block holds what is one’s own').match(
      /^ARCHIVE=\S+\nNAME=\S+\nexport PGHOST=\S+ PGPORT=\S+ PGUSER=\S+\n$/,
    );
    expect(rest).have.length(4);
    return shell(archive, rest);
  }

  async function shell(archive: string, blocks: string[]): Promise<string> {
    const { host, port } = anotherServer;
    const { stdout } = await execa('bash', ['-euo', 'pipefail', '-c', blocks.join('\n')], {
      extendEnv: false,
      env: {
        PATH: `/usr/lib/postgresql/15/bin:${process.env.PATH}`,
        ...{ ARCHIVE: archive, NAME: scenario.database, PGHOST: host, PGPORT: String(port), PGUSER: 'postgres' },
      },
    });
    return stdout;
  }

  const loginsOf = (where: Postgres) =>
    where.psql(
      `SELECT rolname, rolcanlogin, rolcreatedb, rolcreaterole FROM pg_roles WHERE rolname IN ('${scenario.owner}', '${scenario.client}') ORDER BY 1`,
    );
});
