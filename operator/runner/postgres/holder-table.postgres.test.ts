import { expect } from 'chai';
import { startPostgres, type Postgres } from '../../../e2e/cluster/postgres.ts';
import { expectExactly, MIGRATED } from '../testing/exactly.ts';
import { conduct } from '../testing/operator.ts';
import { Scenario } from '../testing/scenario.ts';
import { until } from './wait.ts';

describe('The table that says who works on which database', function () {
  this.timeout(60_000);
  let server: Postgres;
  let scenario: Scenario;

  beforeEach(async () => {
    server = await startPostgres();
  });
  afterEach(async () => {
    await scenario.end();
    await server.stop();
  });

  const create = async () => (scenario = await Scenario.create(server, { withoutHolderTable: true }));
  const toldOf = (warnings: string[] | undefined) =>
    (warnings ?? []).filter((text) => text.includes('Nobody else is told'));

  /** Carries the run through, and says what it warned of right after its preflight. */
  async function carriedThrough(): Promise<string[]> {
    const operator = conduct(scenario, {});
    expect(await Promise.race([scenario.start().ended, operator.failed])).equal('Finished');
    operator.stop();
    await expectExactly(scenario, MIGRATED);
    const preflight = scenario.memory.history.find(({ steps }) =>
      steps?.some(({ name, state }) => name === 'Preflight' && state === 'Succeeded'),
    );
    return toldOf(preflight?.warnings);
  }

  const owners = () =>
    server.psql(
      `SELECT string_agg(pg_get_userbyid(relowner), ',') FROM pg_class WHERE relname = 'holder' AND relkind = 'r'`,
    );

  it('is done without, with a warning before the outage, where the role may not make it', async () => {
    await create();
    const warning = `Nobody else is told who works on database "${scenario.database}", although they are kept out: role "${scenario.owner}" may not make a schema in database "postgres". As a superuser: GRANT CREATE ON DATABASE "postgres" TO "${scenario.owner}".`;
    expect(await carriedThrough()).deep.equal([warning]);
    expect(await owners()).equal('');
  });

  it('is made by the first run whose role may, and named in its wake by nobody else’s warning', async () => {
    await create();
    await server.psql(`GRANT CREATE ON DATABASE postgres TO "${scenario.owner}"`);
    const runner = scenario.start();
    await scenario.reach('Prepared');
    await until(5000, 'the row', async () => (await scenario.holder()) !== undefined);
    expect(toldOf(scenario.memory.runner.warnings)).deep.equal([]);
    expect(await owners()).equal(scenario.owner);
    scenario.memory.setGoal('Finished');
    expect(await runner.ended).equal('Finished');
    expect(await scenario.leftovers()).deep.equal([]);
  });

  it('of another role is not trusted: its trigger would run with the rights of whoever writes', async () => {
    await create();
    const stranger = 'stranger';
    await server.psql(
      `CREATE ROLE stranger LOGIN; GRANT CREATE ON DATABASE postgres TO stranger; GRANT CREATE ON DATABASE postgres TO "${scenario.owner}"`,
    );
    await server.psql(
      `SET ROLE stranger; CREATE SCHEMA phasemigration; GRANT USAGE ON SCHEMA phasemigration TO PUBLIC;
       CREATE TABLE phasemigration.holder (database text PRIMARY KEY, holder text);
       GRANT ALL ON phasemigration.holder TO PUBLIC;
       CREATE FUNCTION phasemigration.trap() RETURNS trigger LANGUAGE plpgsql AS $$
       BEGIN EXECUTE 'CREATE ROLE trapped'; RETURN NEW; END $$;
       CREATE TRIGGER trap BEFORE INSERT ON phasemigration.holder FOR EACH ROW EXECUTE FUNCTION phasemigration.trap()`,
    );
    const [warning] = await carriedThrough();
    expect(warning).contain(
      `schema phasemigration of database "postgres" belongs to role "${stranger}", and its owner’s triggers would run with the rights of "${scenario.owner}". As a superuser, in that database: ALTER SCHEMA phasemigration OWNER TO CURRENT_USER; `,
    );
    expect(await server.psql(`SELECT count(*) FROM pg_roles WHERE rolname = 'trapped'`)).equal('0');
    // What the warning says mends it: another run, with the columns that a run's own table has.
    const statements = /in that database: (.*)\.$/.exec(warning!)![1]!;
    await server.psql('DROP TRIGGER trap ON phasemigration.holder');
    await server.psql(statements);
    expect(await owners()).equal('postgres');
  });

  it('that is dropped in the middle of a run is missed with a warning, and stops nothing', async () => {
    await create();
    await server.psql(`GRANT CREATE ON DATABASE postgres TO "${scenario.owner}"`);
    const runner = scenario.start();
    await scenario.reach('Prepared');
    await until(5000, 'the row', async () => (await scenario.holder()) !== undefined);
    await server.psql('DROP TABLE phasemigration.holder');
    const operator = conduct(scenario, {});
    expect(await Promise.race([runner.ended, operator.failed])).equal('Finished');
    operator.stop();
    await expectExactly(scenario, MIGRATED);
    expect(toldOf(scenario.memory.runner.warnings).join()).match(/relation "phasemigration.holder" does not exist/);
  });

  it('that somebody has locked keeps nobody waiting', async () => {
    await create();
    await server.psql(`GRANT CREATE ON DATABASE postgres TO "${scenario.owner}"`);
    const runner = scenario.start();
    await scenario.reach('Prepared');
    await until(5000, 'the row', async () => (await scenario.holder()) !== undefined);
    const locked = server.psql(`BEGIN; LOCK TABLE phasemigration.holder; SELECT pg_sleep(600)`).catch(() => undefined);
    await until(5000, 'the lock', async () => {
      const question = `SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted AND relation = 'phasemigration.holder'::regclass`;
      return (await server.psql(question)) === '1';
    });
    scenario.memory.setGoal('Migrated');
    await scenario.memory.when(({ reachedGoal }) => reachedGoal === 'Migrated', 'migrated behind the lock');
    const milliseconds = ['Fence', 'RestorePoint', 'Snapshot', 'Migrate', 'Verify', 'Unfence'].map((name) =>
      Number(scenario.step(name)?.evidence?.['milliseconds']),
    );
    const LOCK_TIMEOUT_MS = 2000;
    const sum = milliseconds.reduce((all, step) => all + step, 0);
    expect(sum, 'each step would have waited').lessThan(milliseconds.length * LOCK_TIMEOUT_MS);
    await server.psql(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(600)%'`,
    );
    await locked;
    scenario.memory.setGoal('Finished');
    expect(await runner.ended).equal('Finished');
    expect(await scenario.leftovers()).deep.equal([]);
  });
});
