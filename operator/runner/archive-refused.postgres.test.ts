import { cp, open, readdir, rm, stat, truncate } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect } from 'chai';
import { execa } from 'execa';
import { startPostgres, type Postgres } from '../../e2e/cluster/postgres.ts';
import { BACKUP, FILES, Scenario } from './testing/scenario.ts';

const BROKEN = { checks: [{ name: 'never', query: 'SELECT 1', expect: { value: '0' } }], rollbackChecks: [], jobs: [] };

interface Damage {
  title: string;
  /** Damages the archive; `other` is one of another database. */
  make: (archive: string, other: string) => Promise<unknown>;
  message: RegExp;
}

/** Puts one archive, with what is beside it, in the place of another. */
async function swap(archive: string, other: string, ends: string[]): Promise<void> {
  for (const end of ends) {
    await rm(`${archive}${end}`, { recursive: true });
    await cp(`${other}${end}`, `${archive}${end}`, { recursive: true });
  }
}

/** The archive, or the biggest file of its folder. */
async function biggestFile(archive: string): Promise<string> {
  if (!(await stat(archive)).isDirectory()) return archive;
  const files = (await readdir(archive)).map((name) => join(archive, name));
  const sizes = await Promise.all(files.map(async (file) => [(await stat(file)).size, file] as const));
  return sizes.sort(([one], [two]) => two - one)[0]![1];
}

async function flip(path: string): Promise<void> {
  const file = await open(path, 'r+');
  const { size } = await file.stat();
  const byte = Buffer.alloc(1);
  await file.read(byte, 0, 1, size >> 1);
  byte[0]! ^= 4;
  await file.write(byte, 0, 1, size >> 1);
  await file.close();
}

const DAMAGES: Damage[] = [
  {
    title: 'truncated',
    make: async (archive) => truncate(await biggestFile(archive), 50),
    message: / is truncated: 50 of \d+ bytes/,
  },
  {
    title: 'bit-flipped',
    make: async (archive) => flip(await biggestFile(archive)),
    message: / is not what was written: /,
  },
  { title: 'missing', make: (archive) => rm(archive, { recursive: true }), message: /archive \S+ is missing\. / },
  { title: 'without its record', make: (archive) => rm(`${archive}.json`), message: /\.json, .*, is missing\. / },
  {
    title: 'of the wrong database',
    make: (archive, other) => swap(archive, other, ['', '.json']),
    message: /archive \S+ is of database "shop \d+", not of "shop \d+"/,
  },
  {
    title: 'swapped without its record',
    make: (archive, other) => swap(archive, other, ['']),
    message: / is (truncated|not what was written): | was swapped: it is no folder/,
  },
  {
    title: 'the backup of the same run',
    make: async (archive) => {
      const files = await readdir(dirname(archive));
      const backup = files.find((name) => name.endsWith('0001.dump'))!;
      await swap(archive, join(dirname(archive), backup), ['', '.json']);
    },
    message: / was swapped: it is the one with SHA-256 [0-9a-f]{64}, not [0-9a-f]{64}/,
  },
];

describe('An archive that is not the right one', function () {
  this.timeout(60_000);
  let server: Postgres;
  let other: Scenario;
  let scenario: Scenario;

  before(async () => {
    server = await startPostgres();
    other = await Scenario.create(server);
    other.start();
    await other.reach('Prepared');
  });
  after(async () => {
    await other.end();
    await server.stop();
  });
  afterEach(() => scenario.end());

  for (const format of ['Custom', 'Directory'] as const)
    for (const { title, make, message } of DAMAGES)
      it(`(${format}: ${title}) is refused by name before anything is dropped`, async () => {
        scenario = await Scenario.create(server, {
          files: { ...FILES, '0002_price.up.sql': '-- no-transaction\nUPDATE item SET amount = 1' },
          plan: {
            backup: { ...BACKUP, format },
            rollback: { strategy: 'RestorePoint', restorePoint: 'Dump' },
            verification: BROKEN,
            snapshots: [],
          },
        });
        scenario.start();
        await scenario.reach('Prepared');
        // What clients write after the backup makes the restore point another archive.
        await scenario.sql('UPDATE item SET amount = 1 WHERE id = 1');
        scenario.memory.setGoal('Migrated');
        await scenario.failed('Verify');
        await make(scenario.memory.runner.restorePoint!.archive!, other.memory.runner.backup!.archive);
        scenario.memory.setGoal('RolledBack');
        const failure = await scenario.failed('Rollback');
        expect(failure.reason).equal('RollbackFailed');
        expect(failure.message).match(/^the restore point cannot be put back, and nothing was dropped for it: /);
        expect(failure.message).match(message);
        const databases = await server.psql(
          `SELECT string_agg(datname, ', ') FROM pg_database WHERE datname LIKE '${scenario.database}%'`,
        );
        expect(databases).equal(scenario.database);
        expect(await scenario.sql('SELECT sum(amount) FROM item')).equal('100');
        expect(await scenario.clientCanConnect(), 'the fence stays').equal(false);
      });

  it('is told by hand, without a database or a cluster, from the right one', async () => {
    scenario = await Scenario.create(server, { plan: { backup: { ...BACKUP, rehearsal: 'Restore' } } });
    const runner = scenario.start();
    await scenario.reach('Prepared');
    runner.kill();
    const { archive, sha256 } = scenario.memory.runner.backup!;
    const wanted = ['--database', scenario.database, '--sha256', sha256];
    const { stdout } = await verifyByHand(archive, ...wanted);
    expect(stdout).match(new RegExp(`^database "${scenario.database}" of the server with system identifier \\d+, `));
    expect(stdout).match(/\n2 tables with 101 rows; a restored copy was found equal\nwhole and as it was written$/);
    await expectRefusal(verifyByHand(archive, '--database', 'bar'), /is of database "shop \d+", not of "bar"$/);
    await expectRefusal(verifyByHand(archive, '--system-identifier', '1'), /system identifier \d+, not of 1$/);
    await expectRefusal(verifyByHand(archive, '--sha256', '00'), /was swapped: .*, not 00$/);
    await flip(archive);
    await expectRefusal(verifyByHand(archive, ...wanted), /is not what was written: it has SHA-256 /);
  });

  const verifyByHand = (...args: string[]) =>
    execa(process.execPath, [join(import.meta.dirname, 'main.ts'), 'verify-archive', ...args]);

  const expectRefusal = (command: Promise<unknown>, message: RegExp) =>
    command.then(
      () => expect.fail('it was taken for good'),
      ({ stderr, exitCode }: { stderr: string; exitCode: number }) => {
        expect(stderr).match(message);
        expect(exitCode).equal(1);
      },
    );
});
