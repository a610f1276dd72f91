import { truncate } from 'node:fs/promises';
import { expect } from 'chai';
import { startPostgres, type Postgres } from '../../e2e/cluster/postgres.ts';
import type { ResolutionAction } from '../api/resolution.ts';
import { until } from './postgres/wait.ts';
import { FILES, Scenario } from './testing/scenario.ts';

const { '0002_price.down.sql': _down, ...WITHOUT_DOWN } = FILES;
const BLOCKED = [{ name: 'not-blocked', query: 'SELECT count(*) FROM item WHERE id = 4711', expect: { value: '0' } }];

describe('A decision of a person about a run that could not be undone', function () {
  this.timeout(60_000);
  let server: Postgres;
  let scenario: Scenario;
  let decisions = 0;

  before(async () => {
    server = await startPostgres();
  });
  after(() => server.stop());
  afterEach(() => scenario.end());

  /** Migrated, written to by a client, and stuck on the way back. */
  async function stuck(
    options: Parameters<typeof Scenario.create>[1],
    failing: string,
    before?: () => Promise<unknown>,
  ): Promise<void> {
    decisions = 0;
    scenario = await Scenario.create(server, options);
    await before?.();
    scenario.start();
    await scenario.reach('Prepared');
    await scenario.reach('Migrated');
    await scenario.sql(`SET ROLE "${scenario.client}"; INSERT INTO item VALUES (4711, 1, 'of a client')`);
    scenario.memory.setGoal('RolledBack');
    await scenario.failed(failing);
    expect(await scenario.clientCanConnect(), 'client behind the fence').equal(false);
  }

  function decide(action: ResolutionAction): void {
    const archive = action === 'RestoreBackup' ? { archive: scenario.memory.runner.backup!.archive } : {};
    scenario.memory.setResolution({ number: ++decisions, action, ...archive, runnerEpoch: scenario.epoch + 1 });
    scenario.startNext();
  }

  const undone = () =>
    scenario.memory.when(
      ({ reachedGoal, epoch }) => reachedGoal === 'RolledBack' && epoch === scenario.epoch,
      'undone',
    );

  async function finished(): Promise<void> {
    await scenario.reach('Finished');
    expect(await scenario.leftovers()).deep.equal([]);
  }

  const clientsRow = () => scenario.sql('SELECT count(*) FROM item WHERE id = 4711');
  const columns = () =>
    scenario.sql(
      "SELECT string_agg(column_name::text, ' ' ORDER BY ordinal_position) FROM information_schema.columns WHERE table_name = 'item'",
    );

  it('Retry does the step that failed again when its cause is mended, and keeps what clients wrote', async () => {
    const verification = { checks: [], rollbackChecks: BLOCKED, jobs: [] };
    await stuck({ plan: { verification } }, 'VerifyRollback');
    await scenario.sql('UPDATE item SET id = 4712 WHERE id = 4711');
    decide('Retry');
    await undone();
    expect(await scenario.sql('SELECT count(*) FROM item WHERE id = 4712')).equal('1');
    expect(await columns()).equal('id amount');
    expect(await scenario.ledger()).match(/0002 up \w+, 0002 down \w+$/);
    await finished();
  });

  it('Retry that fails again leaves everything to the next decision', async () => {
    const verification = { checks: [], rollbackChecks: BLOCKED, jobs: [] };
    await stuck({ plan: { verification } }, 'VerifyRollback');
    decide('Retry');
    await scenario.memory.when(
      ({ epoch, observedResolution, steps }) =>
        epoch === 2 &&
        observedResolution === 1 &&
        steps?.some(({ name, state }) => name === 'VerifyRollback' && state === 'Failed') === true,
      'the second failure',
    );
    expect(await scenario.clientCanConnect()).equal(false);
    decide('RollBack');
    const { warnings } = await undone();
    expect(warnings?.join()).match(/What clients wrote since \d{4}-.* is lost with the restore point, as resolution 2/);
    expect(await clientsRow()).equal('0');
    expect(await columns()).equal('id amount');
    await finished();
  });

  it('RollBack puts the restore point back although clients wrote', async () => {
    await stuck({ files: WITHOUT_DOWN }, 'Rollback');
    decide('RollBack');
    await undone();
    expect(await clientsRow()).equal('0');
    expect(await columns()).equal('id amount');
    await finished();
  });

  it('RollBack is refused by name when somebody has dropped the restore point', async () => {
    await stuck({ files: WITHOUT_DOWN }, 'Rollback');
    await server.psql(`DROP DATABASE "${scenario.memory.runner.restorePoint?.database}"`);
    decide('RollBack');
    await scenario.memory.when(({ epoch }) => epoch === 2, 'the second start');
    expect((await scenario.failed('Rollback')).message).contain('is not there any more');
    expect(await clientsRow()).equal('1');
  });

  it('Accept lets clients in to the database as it is, at the revision of its ledger', async () => {
    await stuck({ files: WITHOUT_DOWN }, 'Rollback');
    decide('Accept');
    const { acceptedRevision, steps } = await undone();
    expect(acceptedRevision).equal('0002');
    expect(steps?.find(({ name }) => name === 'Rollback')?.message).equal(
      'Accepted as it is, at 0002, by resolution 1.',
    );
    expect(await clientsRow()).equal('1');
    expect(await columns()).equal('id price note');
    await finished();
  });

  it('Accept says which version fits after a person has put the database back by hand', async () => {
    await stuck({ files: WITHOUT_DOWN }, 'Rollback');
    await until(5000, 'the word of it', async () => (await scenario.holder())?.['state'] === 'NeedsHuman');
    scenario.runners.at(-1)?.kill();
    await scenario.runners.at(-1)?.ended;
    await scenario.write(FILES);
    // As docs/troubleshooting.md says: else it is waited for, for a minute.
    await server.psql(`DELETE FROM phasemigration.holder WHERE database = '${scenario.database}'`);
    await scenario.byHand('0001', 'down');
    decide('Accept');
    expect(await undone()).to.include({ acceptedRevision: '0001', databaseChanged: 'No' });
    await finished();
  });

  it('Accept whose fence cannot be lifted leaves nothing accepted to the next decision', async () => {
    await stuck({ files: WITHOUT_DOWN }, 'Rollback');
    await server.psql(`ALTER ROLE "${scenario.owner}" NOCREATEROLE`);
    decide('Accept');
    await scenario.failed('RollbackUnfence');
    expect(scenario.memory.runner.acceptedRevision).equal('0002');
    await server.psql(`ALTER ROLE "${scenario.owner}" CREATEROLE`);
    decide('RollBack');
    expect((await undone()).acceptedRevision).equal(undefined);
    expect(await columns()).equal('id amount');
    await finished();
  });

  it('Accept is refused at a revision that no version of the application is known to fit', async () => {
    await stuck({ files: WITHOUT_DOWN }, 'Rollback');
    await scenario.sql(
      `INSERT INTO phasemigration.ledger (revision, name, direction, state, checksum, run, started_at) VALUES ('0009', '0009_x', 'up', 'applied', 'f', 'somebody', now())`,
    );
    decide('Accept');
    await scenario.memory.when(({ epoch }) => epoch === 2, 'the second start');
    expect((await scenario.failed('Rollback')).message).match(/is at 0009, which is neither 0001 nor 0002/);
    expect(await scenario.clientCanConnect()).equal(false);
  });

  describe('RestoreBackup', () => {
    const isUnderWay = ({ epoch, rehearsal }: { epoch: number; rehearsal?: { state: string } }) =>
      epoch === 2 && rehearsal?.state === 'Restoring';

    it('puts the proved backup in the place of the database', async () => {
      await stuck({ files: WITHOUT_DOWN }, 'Rollback');
      await server.psql(`DROP DATABASE "${scenario.memory.runner.restorePoint?.database}"`);
      await server.psql(`COMMENT ON DATABASE "${scenario.database}" IS 'kept'`);
      decide('RestoreBackup');
      const { warnings, backup } = await undone();
      expect(Date.parse(backup!.snapshotTime!)).lessThan(Date.parse(backup!.completionTime));
      expect(warnings?.join()).contain(`Everything written since ${backup!.snapshotTime} is lost`);
      const mayConnect = `SELECT has_database_privilege('${scenario.client}', '${scenario.database}', 'CONNECT, TEMPORARY')`;
      expect(await server.psql(mayConnect), 'privileges of the client').equal('t');
      expect(warnings?.join()).match(/Everything written since \d{4}-.* is lost with the restore of the backup/);
      expect(await clientsRow()).equal('0');
      expect(await columns()).equal('id amount');
      expect(await scenario.sql('SELECT sum(amount) FROM item')).equal('50500');
      const comment = `SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = '${scenario.database}'`;
      expect(await server.psql(comment)).equal('kept');
      await finished();
    });

    for (const ownerIsClient of [false, true])
      it(`keeps the database’s CONNECTION LIMIT where no restore point knows it (${ownerIsClient ? 'CONNECTION LIMIT' : 'NOLOGIN'})`, async () => {
        const plan = { rollback: { strategy: 'Auto', restorePoint: 'None' } } as const;
        const before = () => server.psql(`ALTER DATABASE "${scenario.database}" CONNECTION LIMIT 50`);
        await stuck({ files: WITHOUT_DOWN, plan, ownerIsClient }, 'Rollback', before);
        decide('RestoreBackup');
        await undone();
        const limit = `SELECT datconnlimit FROM pg_database WHERE datname = '${scenario.database}'`;
        expect(await server.psql(limit)).equal('50');
        await finished();
      });

    it('goes on where a start of the runner that was killed ended', async () => {
      await stuck({ files: WITHOUT_DOWN }, 'Rollback');
      decide('RestoreBackup');
      await scenario.memory.when(isUnderWay, 'the restore is under way');
      const killed = scenario.runners.at(-1)!;
      killed.kill();
      await killed.ended;
      scenario.startNext();
      await undone();
      expect(await clientsRow()).equal('0');
      await finished();
    });

    it('is refused by name when the archive is not whole, and nothing is dropped for it', async () => {
      await stuck({ files: WITHOUT_DOWN }, 'Rollback');
      await truncate(scenario.memory.runner.backup!.archive, 100);
      decide('RestoreBackup');
      await scenario.memory.when(({ epoch }) => epoch === 2, 'the second start');
      expect((await scenario.failed('Rollback')).message).match(
        /the backup cannot be restored, and nothing was dropped/,
      );
      expect(await clientsRow()).equal('1');
      decide('Accept');
      expect((await undone()).acceptedRevision).equal('0002');
      await finished();
    });
  });
});
