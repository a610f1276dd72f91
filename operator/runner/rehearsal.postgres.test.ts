import { expect } from 'chai';
import { startPostgres, type Postgres } from '../../e2e/cluster/postgres.ts';
import { Session } from './postgres/session.ts';
import { CONTENT } from './testing/content.ts';
import { expectExactly, MIGRATED, PUT_BACK } from './testing/exactly.ts';
import { conduct } from './testing/operator.ts';
import { RunnerProcesses } from './testing/process.ts';
import { BACKUP, Scenario } from './testing/scenario.ts';
import { Wire } from './testing/wire.ts';

const REHEARSED = { backup: { ...BACKUP, rehearsal: 'Restore' } } as const;

/** A function that finds its table only with the search_path of the application, which a restore does not have. */
const UNRESTORABLE = `
  CREATE FUNCTION known(int) RETURNS boolean LANGUAGE sql AS 'SELECT $1 < 1000 + (SELECT count(*) FROM item)';
  ALTER TABLE item ADD CHECK (known(id))`;

interface Tampering {
  title: string;
  sql: string;
  message: RegExp;
}

const TAMPERINGS: Tampering[] = [
  {
    title: 'a row',
    sql: 'DELETE FROM item WHERE id = 7',
    message: /: public\.item had 100 rows and has 99; figure "total" /,
  },
  {
    title: 'a value that no figure shows',
    sql: 'UPDATE item SET amount = CASE id WHEN 1 THEN 20 ELSE 10 END WHERE id < 3',
    message: /: public\.item has 100 rows as before, but other content$/,
  },
  {
    title: 'a constraint',
    sql: 'ALTER TABLE item ALTER amount DROP NOT NULL',
    message: /: column public\.item\.amount was numeric \| NOT NULL.*, is numeric/,
  },
];

describe('A backup that is restored to prove it', function () {
  this.timeout(60_000);
  let server: Postgres;
  let scenario: Scenario;

  before(async () => {
    server = await startPostgres();
  });
  after(() => server.stop());
  afterEach(() => scenario.end());

  for (const format of ['Custom', 'Directory'] as const)
    it(`(${format}) is found equal, with everything that a database can hold, and its copy is dropped`, async () => {
      scenario = await Scenario.create(server, { plan: { backup: { ...REHEARSED.backup, format } } });
      await server.psql(`GRANT SET ON PARAMETER shop.tenant TO "${scenario.owner}"`);
      const fill = (text: string) =>
        text.replaceAll('DATABASE_NAME', `"${scenario.database}"`).replaceAll('CLIENT', `"${scenario.client}"`);
      const owner = await Session.open({ ...server, user: scenario.owner, database: '' }, scenario.database, 'psql');
      await owner.query(fill(CONTENT));
      await owner.close();
      scenario.start();
      await prepared();
      expect(scenario.step('Backup')?.message).match(/ rows hashed, all found again in a restored copy\.$/);
      expect(Number(scenario.step('Backup')?.evidence?.['restoreMilliseconds'])).greaterThan(0);
      expect(await copies()).equal('');
      expect(scenario.memory.runner.rehearsal?.state).equal('Dropped');
    });

  for (const { title, sql, message } of TAMPERINGS)
    it(`is refused when ${title} did not come back`, async () => {
      scenario = await Scenario.create(server, { plan: REHEARSED });
      await whenRestored(
        (copy) => server.psql(sql, copy),
        async (databaseUrl) => {
          const runner = scenario.start({ databaseUrl });
          const failure = await scenario.failed('Backup');
          expect(failure.reason).equal('BackupFailed');
          expect(failure.message).match(/^what \S+\.dump restores is not what was dumped: /);
          expect(failure.message).match(message);
          await scenario.reach('Finished');
          await runner.ended;
        },
      );
      await expectExactly(scenario, PUT_BACK);
    });

  for (const rehearsal of ['Read', 'Restore'] as const)
    it(`(${rehearsal}) that cannot be restored is ${rehearsal === 'Read' ? 'not found out' : 'refused in PostgreSQL’s words'}`, async () => {
      scenario = await Scenario.create(server, { plan: { backup: { ...BACKUP, rehearsal } } });
      await scenario.sql(`SET ROLE "${scenario.owner}"; ${UNRESTORABLE}`);
      scenario.start();
      if (rehearsal === 'Read') return prepared();
      const failure = await scenario.failed('Backup');
      expect(failure.reason).equal('BackupFailed');
      expect(failure.message).match(/^pg_restore ended with code 1: .*relation "item" does not exist/s);
      expect(await copies()).equal('');
    });

  it('lets nobody but its owner into the copy', async () => {
    scenario = await Scenario.create(server, { plan: REHEARSED });
    const refusals: string[] = [];
    const intrude = (copy: string) =>
      Session.open({ ...server, user: scenario.client, database: '' }, copy, 'psql').then(
        (session) => session.close(),
        (error: Error) => void refusals.push(error.message),
      );
    await whenRestored(intrude, async (databaseUrl) => {
      scenario.start({ databaseUrl });
      await prepared();
    });
    expect(refusals).have.length(1);
    expect(refusals[0]).match(/may not connect to database/);
  });

  it('leaves subscriptions to the original, which would keep the copy from being dropped', async () => {
    const privileges = 'SUPERUSER';
    const rollback = { strategy: 'Auto', restorePoint: 'None' } as const;
    scenario = await Scenario.create(server, { privileges, plan: { ...REHEARSED, rollback } });
    await scenario.sql(`CREATE SUBSCRIPTION feed CONNECTION 'dbname=nowhere' PUBLICATION p WITH (connect = false)`);
    scenario.start();
    await prepared();
    expect(await copies()).equal('');
    await scenario.sql(`ALTER SUBSCRIPTION feed SET (slot_name = NONE); DROP SUBSCRIPTION feed`);
  });

  describe('when the runner is killed meanwhile', () => {
    let processes: RunnerProcesses;

    before(() => (processes = new RunnerProcesses()));
    after(() => processes.end());

    for (const format of ['Custom', 'Directory'] as const)
      it(`(${format}) is made anew by the next start, which leaves no copy behind`, async () => {
        scenario = await Scenario.create(server, { plan: { backup: { ...REHEARSED.backup, format } } });
        await killedWhileRestoring();
        const operator = conduct(scenario, {});
        scenario.memory.setEpoch(++scenario.epoch);
        expect(await Promise.race([processes.start(scenario, 2).ended, operator.failed])).equal('Finished');
        operator.stop();
        await expectExactly(scenario, MIGRATED);
      });

    it('leaves no copy behind, although the run ends without ever having touched the database', async () => {
      scenario = await Scenario.create(server, { plan: REHEARSED });
      await killedWhileRestoring();
      scenario.memory.setGoal('Finished');
      scenario.memory.setEpoch(++scenario.epoch);
      expect(await processes.start(scenario, 2).ended).equal('Finished');
      expect(await scenario.leftovers()).deep.equal([]);
    });

    /** Killed when the copy is there, with its content or without. */
    async function killedWhileRestoring(): Promise<void> {
      const runner = processes.start(scenario, 1);
      await scenario.memory.when(({ rehearsal }) => rehearsal?.state === 'Restoring', 'the rehearsal');
      while ((await copies()) === '');
      runner.signal('SIGKILL');
      expect(await runner.ended).equal('killed');
      expect(await copies()).not.equal('');
    }
  });

  async function prepared(): Promise<void> {
    const { steps } = await scenario.memory.when(
      ({ reachedGoal, steps }) => reachedGoal === 'Prepared' || steps?.some(({ state }) => state === 'Failed') === true,
      'everything is prepared',
    );
    expect(steps?.filter(({ state }) => state === 'Failed')).deep.equal([]);
  }

  const copies = () =>
    server.psql(`SELECT datname FROM pg_database WHERE datname LIKE '${scenario.database}\\_rehearsal\\_%'`);

  /** Does something with the copy right after it was restored, before it is looked at. */
  async function whenRestored(
    act: (copy: string) => Promise<unknown>,
    work: (databaseUrl: string) => Promise<void>,
  ): Promise<void> {
    const wire = await Wire.to(server);
    wire.onQuery = async (text) => {
      if (text === 'ANALYZE') await act(await copies());
      return undefined;
    };
    try {
      await work(scenario.urlAt(wire.port));
    } finally {
      await wire.close();
    }
  }
});
