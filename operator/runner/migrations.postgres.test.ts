import { expect } from 'chai';
import { startPostgres, type Postgres } from '../../e2e/cluster/postgres.ts';
import { expectExactly, MIGRATED, PUT_BACK } from './testing/exactly.ts';
import { conduct } from './testing/operator.ts';
import { RunnerProcesses } from './testing/process.ts';
import { FILES, Scenario } from './testing/scenario.ts';

type Options = Parameters<typeof Scenario.create>[1];

const CONCURRENTLY = {
  ...FILES,
  '0002_price.up.sql': `-- no-transaction
    ALTER TABLE item RENAME COLUMN amount TO price;
    ALTER TABLE item ADD COLUMN note text;
    CREATE INDEX CONCURRENTLY item_price ON item (price);
    SELECT CASE WHEN EXISTS (SELECT FROM pg_roles WHERE rolname = 'hold ' || current_database()) THEN pg_sleep(600) END`,
};

const MODULE = `
import { readFileSync } from 'node:fs';
const tried = (act) => { try { act(); return 'allowed'; } catch (error) { return error.code; } };
export async function up({ client }) {
  await client.query('ALTER TABLE item RENAME COLUMN amount TO price');
  await client.query('ALTER TABLE item ADD COLUMN note text');
  const { rows, rowCount } = await client.query('UPDATE item SET note = $1 WHERE id <= $2 RETURNING id', ['seen', 3]);
  const secrets = [Object.keys(process.env).length, tried(() => readFileSync('/etc/passwd'))];
  await client.query({ text: 'UPDATE item SET note = $1 WHERE id = 100', values: [JSON.stringify([rowCount, typeof rows[0].id, ...secrets])] });
}
export async function down({ client }) {
  await client.query('ALTER TABLE item DROP COLUMN note');
  await client.query('ALTER TABLE item RENAME COLUMN price TO amount');
}`;

const verification = (changes: object) => ({ checks: [], rollbackChecks: [], jobs: [], ...changes });
const NEVER = { name: 'never', query: 'SELECT 1', expect: { value: '0' } };

describe('Migrations of each kind', function () {
  this.timeout(60_000);
  let server: Postgres;
  let scenario: Scenario;
  let processes: RunnerProcesses;

  before(async () => {
    server = await startPostgres();
    processes = new RunnerProcesses();
  });
  after(async () => {
    await processes.end();
    await server.stop();
  });
  afterEach(() => scenario.end());

  /** Works on a run to its end, undoing what fails. */
  async function carryOut(options: Options, wishes: Parameters<typeof conduct>[1] = {}): Promise<void> {
    scenario = await Scenario.create(server, options);
    const operator = conduct(scenario, wishes);
    const runner = scenario.start();
    expect(await Promise.race([runner.ended, operator.failed])).equal('Finished');
    operator.stop();
  }

  describe('outside a transaction', () => {
    it('are announced in the ledger before, and applied', async () => {
      await carryOut({ files: CONCURRENTLY });
      await expectExactly(scenario, { ...MIGRATED, ledger: '0001 up applied, 0002 up started, 0002 up applied' });
      expect(await scenario.sql(`SELECT indisvalid FROM pg_index WHERE indexrelid = 'item_price'::regclass`)).equal(
        't',
      );
    });

    it('that fail half-way are undone by the restore point', async () => {
      const up = `${FILES['0002_price.up.sql']};\nCREATE UNIQUE INDEX CONCURRENTLY one ON item ((price > 0))`;
      await carryOut({ files: { ...FILES, '0002_price.up.sql': `-- no-transaction\n${up}` } });
      const { reason, message } = scenario.step('Migrate')!;
      expect(reason).equal('MigrationFailed');
      expect(message).match(/^migration "0002_price": could not create unique index "one" \(SQLSTATE 23505\)/);
      expect(scenario.step('Rollback')?.message).match(/^The restore point took/);
      await expectExactly(scenario, PUT_BACK);
    });

    const hold = (exists: boolean) => server.psql(`${exists ? 'CREATE' : 'DROP'} ROLE "hold ${scenario.database}"`);

    async function killHalfWay(options: Options): Promise<void> {
      scenario = await Scenario.create(server, { files: CONCURRENTLY, ...options });
      await hold(true);
      const first = processes.start(scenario, 1);
      await scenario.reach('Prepared');
      scenario.memory.setGoal('Migrated');
      await scenario.memory.when(
        ({ steps }) => steps?.some(({ name, state }) => name === 'Migrate' && state === 'Running') ?? false,
        'the migration',
      );
      const isHalfWay = `SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = '${scenario.database}'`;
      while ((await server.psql(isHalfWay)) !== '1');
      first.signal('SIGKILL');
      await first.ended;
      await hold(false);
    }

    it('whose runner was killed half-way are never tried again, but undone', async () => {
      await killHalfWay({});
      const operator = conduct(scenario, {});
      const next = scenario.startNext();
      expect(await Promise.race([next.ended, operator.failed])).equal('Finished');
      operator.stop();
      expect(scenario.step('Migrate')?.message).equal(
        'migration "0002_price" runs outside a transaction and was begun by an earlier start of the runner; how far it came is not known, and it is never tried again blindly',
      );
      await expectExactly(scenario, PUT_BACK);
    });

    it('whose failure the runner could not report any more are never tried again, but undone', async () => {
      await killHalfWay({});
      await scenario.sql(
        `INSERT INTO phasemigration.ledger (revision, name, direction, state, checksum, run, epoch, started_at)
         SELECT revision, name, direction, 'failed', checksum, run, epoch, started_at FROM phasemigration.ledger WHERE state = 'started'`,
      );
      const operator = conduct(scenario, {});
      const next = scenario.startNext();
      expect(await Promise.race([next.ended, operator.failed])).equal('Finished');
      operator.stop();
      expect(scenario.step('Migrate')?.message).equal(
        'the ledger says that migration "0002_price" failed in an earlier start of the runner; a part of what it did may be there, and it is never tried again blindly',
      );
      await expectExactly(scenario, PUT_BACK);
    });

    it('whose runner was killed half-way wait for a person behind the fence where there is no restore point', async () => {
      await killHalfWay({ plan: { rollback: { strategy: 'Auto', restorePoint: 'None' } } });
      scenario.startNext();
      await scenario.failed('Migrate');
      scenario.memory.setGoal('RolledBack');
      const { reason, message } = await scenario.failed('Rollback');
      expect(reason).equal('RollbackFailed');
      expect(message).match(
        new RegExp(
          `^with rollback\\.strategy \\w+ the migration of database "${scenario.database}" cannot be undone by itself$`,
        ),
      );
      expect(await scenario.clientCanConnect()).equal(false);
      expect(scenario.memory.runner.databaseChanged).equal('Unknown');
    });
  });

  describe('written in JavaScript', () => {
    const files = { '0001_base.up.sql': FILES['0001_base.up.sql']!, '0002_price.mjs': MODULE };

    it('run on the runner’s session without its environment, files or token', async () => {
      await carryOut({ files });
      await expectExactly(scenario, MIGRATED);
      expect(await scenario.sql(`SELECT count(*) FROM item WHERE note = 'seen'`)).equal('3');
      expect(await scenario.sql('SELECT note FROM item WHERE id = 100')).equal('[3,"number",0,"ERR_ACCESS_DENIED"]');
    });

    it('are undone by their `down`', async () => {
      await carryOut({ files }, { undo: { clients: () => Promise.resolve() } });
      await expectExactly(scenario, { ...PUT_BACK, ledger: '0001 up applied, 0002 up applied, 0002 down applied' });
    });

    for (const [what, statement, sentence] of [
      ['throw', `throw new Error('no such customer')`, 'no such customer'],
      ['fail in SQL', `await client.query('SELECT 1/0')`, 'division by zero (SQLSTATE 22012)'],
      [
        'give too few values',
        `await client.query('SELECT $1::int + $2::int', [1])`,
        'bind message supplies 1 parameters, but prepared statement "" requires 2 (SQLSTATE 08P01)',
      ],
      ['end the process', 'process.exit(0)', 'it ended without an answer.'],
    ] as const)
      it(`that ${what} change nothing`, async () => {
        const up = `export async function up({ client }) { await client.query('DROP TABLE item'); ${statement}; }`;
        await carryOut({ files: { ...files, '0002_price.mjs': up } });
        expect(scenario.step('Migrate')?.message).equal(`migration "0002_price": ${sentence}`);
        await expectExactly(scenario, PUT_BACK);
      });

    const module = (...lines: string[]) => ({
      ...files,
      '0002_price.mjs': `export async function up({ client }) {\n${lines.join(';\n')}\n}`,
    });
    const EMPTY = `await client.query('DELETE FROM item')`;

    for (const control of ['BEGIN', 'COMMIT', 'select 1; end', 'ROLLBACK', '/* */start transaction', 'ABORT'])
      it(`that say ${control} are refused before it is sent, whatever they make of that`, async () => {
        const statement = `await client.query('${control}').catch(() => undefined)`;
        await carryOut({ files: module(EMPTY, statement, `await client.query('COMMIT').catch(() => undefined)`) });
        const word = control.replace('select 1; ', '').replace(/^.*\*\//, '');
        expect(scenario.step('Migrate')?.message).equal(
          `migration "0002_price": "${word}" would end the transaction that the runner wraps around the migration; remove it, or take the migration out of it: export const transaction = false`,
        );
        expect(scenario.step('Rollback')?.message).equal('Nothing was committed: there is nothing to undo.');
        await expectExactly(scenario, PUT_BACK);
      });

    it('may use savepoints, and words that only look like transaction control, in their order', async () => {
      const up = [
        ...MODULE.split('\n').filter((line) => /ALTER TABLE.*(TO price|note text)/.test(line)),
        `client.query("UPDATE item SET note = CASE WHEN true THEN 'begin' END WHERE id = 1")`,
        `client.query("UPDATE item SET note = note || ' and commit' WHERE id = 1")`,
        `client.query("UPDATE item SET note = replace(note, ' and ', ', ') WHERE id = 1")`,
        `await client.query('SAVEPOINT here')`,
        `await client.query('DELETE FROM item')`,
        `await client.query('ROLLBACK TO SAVEPOINT here; RELEASE here')`,
        `client.query("UPDATE item SET note = note || ', end' WHERE id = 1")`,
      ];
      await carryOut({ files: module(...up) });
      expect(scenario.step('Migrate')?.state, scenario.step('Migrate')?.message).equal('Succeeded');
      await expectExactly(scenario, MIGRATED);
      expect(await scenario.sql('SELECT note FROM item WHERE id = 1')).equal('begin, commit, end');
    });

    // With this setting the server takes for the end of a string what the parser takes for a part of it.
    const hidden = (control: string) => [
      `await client.query('SET standard_conforming_strings = off')`,
      `await client.query(String.raw\`SELECT '\\', '; ${control}; --'\`)`,
    ];
    const escapes: [string, string[]][] = [
      ['commit and then fail', [EMPTY, ...hidden('COMMIT'), `throw new Error('later')`]],
      ['commit and then fail in SQL', [EMPTY, ...hidden('COMMIT'), `await client.query('SELECT 1/0')`]],
      ['commit', [EMPTY, ...hidden('COMMIT')]],
      ['commit and begin another transaction', [EMPTY, ...hidden('COMMIT; BEGIN')]],
      ['roll back and go on', [...hidden('ROLLBACK'), EMPTY]],
    ];
    for (const [what, lines] of escapes) {
      it(`that ${what} all the same are undone by the restore point`, async () => {
        await carryOut({ files: module(...lines) });
        expect(scenario.step('Migrate')?.reason).equal('MigrationFailed');
        expect(scenario.step('Rollback')?.message).match(/^The restore point took/);
        await expectExactly(scenario, PUT_BACK);
      });
    }

    it('that commit all the same wait for a person behind the fence where there is no restore point', async () => {
      const rollback = { strategy: 'Auto', restorePoint: 'None' } as const;
      const [, lines] = escapes[0]!;
      scenario = await Scenario.create(server, { files: module(...lines), plan: { rollback } });
      const operator = conduct(scenario, {});
      scenario.start();
      const { reason } = await scenario.failed('Rollback');
      operator.stop();
      expect(reason).equal('RollbackFailed');
      expect(scenario.memory.runner.databaseChanged).equal('Yes');
      expect(await scenario.ledger()).equal('0001 up applied, 0002 up failed');
      expect(await scenario.clientCanConnect()).equal(false);
    });
  });

  it('see the search_path that the runner pins, whatever is set for the database', async () => {
    const up = `${FILES['0002_price.up.sql']}; CREATE TABLE made (x int); SELECT 1/(count(*) - 1) FROM pg_class WHERE relname = 'item'`;
    scenario = await Scenario.create(server, { files: { ...FILES, '0002_price.up.sql': up.replace('- 1)', '- 3)') } });
    await scenario.sql(`
      CREATE SCHEMA evil; GRANT ALL ON SCHEMA evil TO PUBLIC;
      CREATE TABLE evil.item (id int, price numeric); CREATE TABLE evil.pg_class (relname text);
      ALTER SCHEMA evil OWNER TO "${scenario.owner}"; ALTER TABLE evil.item OWNER TO "${scenario.owner}";
      ALTER TABLE evil.pg_class OWNER TO "${scenario.owner}";
      ALTER DATABASE "${scenario.database}" SET search_path = evil, pg_catalog`);
    const operator = conduct(scenario, {});
    const runner = scenario.start();
    expect(await Promise.race([runner.ended, operator.failed])).equal('Finished');
    operator.stop();
    expect(scenario.step('Migrate')?.state, scenario.step('Migrate')?.message).equal('Succeeded');
    expect(
      await scenario.sql(`SELECT relnamespace::regnamespace FROM pg_catalog.pg_class WHERE relname = 'made'`),
    ).equal('public');
  });

  it('that change a figure are rolled back, with what it was and is', async () => {
    const up = `${FILES['0002_price.up.sql']}; DELETE FROM item WHERE id = 7`;
    await carryOut({ files: { ...FILES, '0002_price.up.sql': up } });
    const { reason, message } = scenario.step('Verify')!;
    expect({ reason, message }).deep.equal({
      reason: 'SnapshotMismatch',
      message: 'figure "total" was ["100","50500"], is ["99","50430"]',
    });
    await expectExactly(scenario, PUT_BACK);
  });

  it('whose rollback checks fail wait for a person behind the fence', async () => {
    scenario = await Scenario.create(server, {
      files: { ...FILES, '0002_price.up.sql': `-- no-transaction\n${FILES['0002_price.up.sql']}` },
      plan: { verification: verification({ checks: [NEVER], rollbackChecks: [{ ...NEVER, name: 'sum is back' }] }) },
    });
    const operator = conduct(scenario, {});
    scenario.start();
    const { reason, message } = await scenario.failed('VerifyRollback');
    operator.stop();
    expect({ reason, message }).deep.equal({
      reason: 'RollbackVerificationFailed',
      message: 'check "sum is back": expected "0", got "1"',
    });
    expect(await scenario.clientCanConnect()).equal(false);
    scenario.memory.setGoal('Finished');
    await scenario.runners[0]!.ended;
    expect(await scenario.clientCanConnect(), 'after the end').equal(false);
  });
});
