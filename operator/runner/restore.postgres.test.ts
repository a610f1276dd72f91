import { readdir, statfs } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { expect } from 'chai';
import { startPostgres, type Postgres } from '../../e2e/cluster/postgres.ts';
import type { Check } from '../api/plan.ts';
import { Session } from './postgres/session.ts';
import { conduct } from './testing/operator.ts';
import { CONTENT, everythingOf } from './testing/content.ts';
import { expectExactly, PUT_BACK } from './testing/exactly.ts';
import { FILES, Scenario, WAITING_FILES } from './testing/scenario.ts';
import { Wire } from './testing/wire.ts';

/** A migration that destroys as much as it can, outside a transaction, so that only the restore point helps. */
const DESTRUCTION = `-- no-transaction
DROP SCHEMA accounts CASCADE;
DROP EXTENSION hstore CASCADE;
DROP PUBLICATION changes;
SELECT lo_unlink(4711);
UPDATE item SET amount = 0`;

const OF_THE_DATABASE = `;
COMMENT ON DATABASE DATABASE_NAME IS 'spoilt';
ALTER DATABASE DATABASE_NAME RESET ALL;
GRANT CONNECT ON DATABASE DATABASE_NAME TO PUBLIC`;

const BROKEN = { checks: [{ name: 'never', query: 'SELECT 1', expect: { value: '0' } }], rollbackChecks: [], jobs: [] };

/** Differs between a database and its copy, as nothing else can be made to. */
const snapshots = [{ name: 'place', query: 'SELECT current_database()' }];

describe('A restore point', function () {
  this.timeout(60_000);
  let server: Postgres;
  let scenario: Scenario;

  before(async () => {
    server = await startPostgres();
  });
  after(() => server.stop());
  afterEach(() => scenario.end());

  for (const [title, files] of [
    ['in one transaction', FILES],
    ['outside a transaction', { ...FILES, '0002_price.up.sql': `-- no-transaction\n${FILES['0002_price.up.sql']}` }],
  ] as const)
    it(`whose figures differ from the original’s lets nothing of a migration ${title} be committed`, async () => {
      scenario = await Scenario.create(server, { files, plan: { snapshots } });
      const operator = conduct(scenario, {});
      const runner = scenario.start();
      expect(await Promise.race([runner.ended, operator.failed])).equal('Finished');
      operator.stop();
      const failed = scenario.step('Snapshot');
      expect(failed?.reason).equal('RestorePointFailed');
      expect(failed?.message).contain('figure "place" differs in the copy');
      const committed = scenario.memory.history.filter(({ databaseChanged }) => databaseChanged === 'Yes');
      expect(committed, 'reports of a change').deep.equal([]);
      await expectExactly(scenario, PUT_BACK);
    });

  it('that is gone although it is recorded as taken is taken again before anything is migrated', async () => {
    const job = { name: 'figures', image: 'figures:1', timeoutSeconds: 60 };
    const verification = { checks: [], rollbackChecks: [], jobs: [job] };
    scenario = await Scenario.create(server, { files: WAITING_FILES, plan: { verification } });
    const address = { ...server, user: 'postgres', database: 'postgres' };
    const hold = await Session.open(address, 'postgres', `hold ${scenario.database}`);
    const operator = conduct(scenario, { failingJob: job.name });
    const first = scenario.start();
    const { restorePoint } = await scenario.memory.when(
      ({ steps, restorePoint }) =>
        restorePoint?.state === 'Taken' &&
        steps?.some(({ name, state }) => name === 'Migrate' && state === 'Running') === true,
      'the migration is under way',
    );
    first.kill();
    await first.ended;
    await server.psql(`DROP DATABASE "${restorePoint?.database}" WITH (FORCE)`);
    const second = scenario.startNext();
    await hold.close();
    expect(await Promise.race([second.ended, operator.failed])).equal('Finished');
    operator.stop();
    expect(scenario.step('Rollback')?.message).match(/^The restore point took/);
    await expectExactly(scenario, PUT_BACK);
  });

  for (const restorePoint of ['Template', 'Dump'] as const)
    for (const ownerIsClient of [false, true])
      it(`(${restorePoint}, ${ownerIsClient ? 'CONNECTION LIMIT' : 'NOLOGIN'}) is put back exactly, with everything that a copy of the content loses`, async () => {
        const rollback = { strategy: 'Auto', restorePoint } as const;
        const databaseOptions = `TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'de-AT' LC_CTYPE 'C.UTF-8'`;
        const plan = { rollback, verification: BROKEN };
        scenario = await Scenario.create(server, { ownerIsClient, plan, databaseOptions });
        const fill = (text: string) =>
          text.replaceAll('DATABASE_NAME', `"${scenario.database}"`).replaceAll('CLIENT', `"${scenario.client}"`);
        // While it is dumped behind a CONNECTION LIMIT, the database has another name.
        const isHidden = restorePoint === 'Dump' && ownerIsClient;
        await scenario.write({ '0002_price.up.sql': fill(DESTRUCTION + (isHidden ? '' : OF_THE_DATABASE)) });
        await server.psql(`GRANT SET ON PARAMETER shop.tenant TO "${scenario.owner}"`);
        await asOwner(fill(CONTENT));
        const before = await everythingOf(server, scenario.database);
        await carryOutAndUndo();
        expect(scenario.step('Migrate')?.state, scenario.step('Migrate')?.message).equal('Succeeded');
        expect(scenario.step('Rollback')?.message).match(/^The restore point took the database’s place in \d+ ms\.$/);
        expect(await everythingOf(server, scenario.database)).equal(before);
        expect(await scenario.leftovers()).deep.equal([]);
        const files = await readdir(join(scenario.folders.backup, 'shop'), { recursive: true });
        expect(
          files.some((name) => name.endsWith('.dump')),
          'the backup stays',
        ).equal(true);
        expect(files.filter((name) => basename(name).startsWith('restore-point'))).deep.equal([]);
      });

  describe('that is an archive', () => {
    const archived = async (base: string, rollbackChecks: Check[]) => {
      const files = {
        ...FILES,
        '0001_base.up.sql': `${FILES['0001_base.up.sql']}; ${base}`,
        '0002_price.up.sql': `-- no-transaction\n${FILES['0002_price.up.sql']}`,
      };
      const rollback = { strategy: 'Auto', restorePoint: 'Dump' } as const;
      const plan = { verification: { ...BROKEN, rollbackChecks }, rollback };
      scenario = await Scenario.create(server, { files, plan });
      await carryOutAndUndo();
      await expectExactly(scenario, PUT_BACK);
    };

    it('has its statistics again before anything is asked of it', async () => {
      const query = `SELECT count(*) FROM pg_stats WHERE schemaname = 'public' AND tablename = 'item'`;
      await archived('', [{ name: 'planned well', query, expect: { min: '1' } }]);
    });

    it('is put back although something in it cannot be analysed, and warns', async () => {
      const fragile = `CREATE FUNCTION fragile(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS
        $$ BEGIN IF current_query() = 'ANALYZE' THEN RAISE 'fragile'; END IF; RETURN $1; END $$;
        CREATE TABLE later (x int); INSERT INTO later VALUES (1); CREATE INDEX ON later (fragile(x))`;
      await archived(fragile, []);
      expect(scenario.memory.runner.warnings?.join()).match(/ANALYZE .*fragile/);
    });
  });

  it('is an archive where the server’s disk is too small for a clone, and says why', async () => {
    const small = await startPostgres({ diskMebibytes: 512 });
    try {
      const files = { ...FILES, '0002_price.up.sql': `-- no-transaction\n${FILES['0002_price.up.sql']}` };
      scenario = await Scenario.create(small, { files, plan: { verification: BROKEN } });
      await small.psql(`GRANT pg_execute_server_program, pg_read_all_settings TO "${scenario.owner}"`);
      const { bavail, bsize } = await statfs(await small.psql('SHOW data_directory'));
      const size = Number(await small.psql(`SELECT pg_database_size('${scenario.database}')`));
      scenario.memory.run.spec.plan.preflight.freeDiskFactor = (bavail * bsize) / size + 0.5;
      await carryOutAndUndo();
      expect(scenario.step('Preflight')?.message).match(
        /The restore point will be by Dump: the server’s data directory has \d+ MiB free, and a clone needs \d+ MiB/,
      );
      expect(scenario.step('RestorePoint')?.message).match(/restore-point\.dump/);
      await expectExactly(scenario, PUT_BACK);
    } finally {
      await small.stop();
    }
  });

  it('takes the database’s place although somebody logs in as the owner in that moment', async () => {
    scenario = await Scenario.create(server, {
      files: { ...FILES, '0002_price.up.sql': '-- no-transaction\nUPDATE item SET amount = 0' },
      plan: { verification: BROKEN, snapshots: [] },
    });
    const wire = await Wire.to(server);
    let intruder: Session | undefined;
    wire.onQuery = async (text) => {
      if (text.includes('RENAME TO') && !intruder)
        intruder = await Session.open({ ...server, user: scenario.owner, database: '' }, scenario.database, 'psql');
      return undefined;
    };
    try {
      await carryOutAndUndo(scenario.urlAt(wire.port));
    } finally {
      await wire.close();
    }
    expect(intruder).not.equal(undefined);
    await expectRejected(intruder!.query('SELECT 1'));
    expect(await scenario.sql('SELECT sum(amount) FROM item')).equal('50500');
    expect(await scenario.leftovers()).deep.equal([]);
  });

  async function carryOutAndUndo(databaseUrl = scenario.url): Promise<void> {
    const operator = conduct(scenario, {});
    const runner = scenario.start({ databaseUrl });
    expect(await Promise.race([runner.ended, operator.failed])).equal('Finished');
    operator.stop();
    expect(scenario.memory.runner.databaseChanged).equal('No');
  }

  async function asOwner(sql: string): Promise<void> {
    const session = await Session.open({ ...server, user: scenario.owner, database: '' }, scenario.database, 'psql');
    await session.query(sql);
    await session.close();
  }

  const expectRejected = (promise: Promise<unknown>) =>
    promise.then(
      () => expect.fail('it was carried out'),
      (error: Error) => expect(error.name).equal('ConnectionLost'),
    );
});
