import { readFile, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { expect } from 'chai';
import { execa } from 'execa';
import { startPostgres, type Postgres } from '../../e2e/cluster/postgres.ts';
import { conduct } from './testing/operator.ts';
import { expectExactly, PUT_BACK } from './testing/exactly.ts';
import { BACKUP, FILES, Scenario } from './testing/scenario.ts';
import { Wire } from './testing/wire.ts';
import type { ArchiveRecord } from './steps/archive-record.ts';

const BROKEN = { checks: [{ name: 'never', query: 'SELECT 1', expect: { value: '0' } }], rollbackChecks: [], jobs: [] };

describe('A backup', function () {
  this.timeout(60_000);
  let server: Postgres;
  let scenario: Scenario;

  before(async () => {
    server = await startPostgres();
  });
  after(() => server.stop());
  afterEach(() => scenario.end());

  for (const format of ['Custom', 'Directory'] as const) {
    it(`of format ${format} has its identity and its hashes beside it`, async () => {
      scenario = await Scenario.create(server, { plan: { backup: { ...BACKUP, format } } });
      scenario.start();
      await scenario.reach('Prepared');
      const { archive, sha256 } = scenario.memory.runner.backup!;
      expect((await stat(archive)).isDirectory()).equal(format === 'Directory');
      await execa('sha256sum', ['--check', '--strict', `${archive}.sha256`], { cwd: dirname(archive) });
      const hashed = format === 'Custom' ? archive : `${archive}.sha256`;
      expect((await execa('sha256sum', [hashed])).stdout).contain(sha256);
      const systemIdentifier = await server.psql('SELECT system_identifier FROM pg_control_system()');
      const { metadata } = scenario.memory.run;
      expect(JSON.parse(await readFile(`${archive}.json`, 'utf8'))).include({
        ...{ database: scenario.database, systemIdentifier, revision: '0001' },
        ...{ run: `shop/${metadata.name}`, runUid: metadata.uid, format, sha256 },
      });
    });

    it(`of format ${format} has the figures and the content of the very moment that was dumped, whoever writes`, async () => {
      scenario = await Scenario.create(server, { plan: { backup: { ...BACKUP, format } } });
      const wire = await Wire.to(server);
      let writes = 0;
      wire.onQuery = async (text) => {
        // After the snapshot was exported, after the tables and after the figures were read, while pg_dump reads.
        if (/count\(\*\)|sum\(amount\)|SET TRANSACTION SNAPSHOT|^COPY /.test(text))
          await scenario.sql(`INSERT INTO item VALUES (${5000 + ++writes}, 1)`);
        return undefined;
      };
      try {
        scenario.start({ databaseUrl: scenario.urlAt(wire.port) });
        await scenario.reach('Prepared');
      } finally {
        await wire.close();
      }
      const { archive } = scenario.memory.runner.backup!;
      const { proof } = JSON.parse(await readFile(`${archive}.json`, 'utf8')) as ArchiveRecord;
      const copy = `${scenario.database} by hand`;
      await server.psql(`CREATE DATABASE "${copy}" TEMPLATE template0`);
      await execa('/usr/lib/postgresql/15/bin/pg_restore', [`--dbname=${server.adminUrl(copy)}`, archive]);
      const { rows } = proof!.tables['public.item']!;
      expect(rows).within(101, 100 + writes - 1);
      expect(await server.psql('SELECT count(*) FROM item', copy)).equal(String(rows));
      expect(proof!.figures['total']).equal(
        await server.psql(`SELECT format('[["%s","%s"]]', count(*), sum(amount)) FROM item`, copy),
      );
      const compare = await readFile(`${archive}.compare.sql`, 'utf8');
      expect(await server.psql(compare, copy)).equal('2 tables compared');
      await server.psql('UPDATE item SET amount = 0 WHERE id = 1', copy);
      expect(await server.psql(compare, copy)).equal(`public.item|${rows}|${rows}\n2 tables compared`);
    });

    it(`of format ${format} is kept by the next start, unless it was damaged meanwhile`, async () => {
      scenario = await Scenario.create(server, { plan: { backup: { ...BACKUP, format } } });
      const first = scenario.start();
      await scenario.reach('Prepared');
      const { archive, sha256 } = scenario.memory.runner.backup!;
      first.kill();
      await first.ended;
      const second = scenario.startNext();
      await scenario.reach('Prepared');
      expect(scenario.step('Backup')?.message).match(/^Kept from an earlier start: /);
      expect(scenario.memory.runner.backup?.sha256).equal(sha256);
      second.kill();
      await second.ended;
      await writeFile(format === 'Custom' ? archive : `${archive}/toc.dat`, 'PGDMP', { flag: 'r+' });
      await writeFile(format === 'Custom' ? archive : `${archive}/toc.dat`, 'x', { flag: 'a' });
      scenario.startNext();
      await scenario.reach('Prepared');
      expect(scenario.step('Backup')?.evidence?.['reused']).equal('false');
    });

    it(`of format ${format} that is another run’s is not taken for its own by the next start`, async () => {
      scenario = await Scenario.create(server, { plan: { backup: { ...BACKUP, format } } });
      const first = scenario.start();
      await scenario.reach('Prepared');
      first.kill();
      await first.ended;
      const record = `${scenario.memory.runner.backup!.archive}.json`;
      const { uid } = scenario.memory.run.metadata;
      await writeFile(record, (await readFile(record, 'utf8')).replace(uid!, 'another run’s'));
      scenario.startNext();
      await scenario.reach('Prepared');
      expect(scenario.step('Backup')?.evidence?.['reused']).equal('false');
      expect(await readFile(record, 'utf8')).contain(uid);
    });

    it(`of format ${format} is how a restore point by Dump is written, too`, async () => {
      scenario = await Scenario.create(server, {
        files: { ...FILES, '0002_price.up.sql': '-- no-transaction\nUPDATE item SET amount = 0' },
        plan: {
          backup: { ...BACKUP, format },
          rollback: { strategy: 'Auto', restorePoint: 'Dump' },
          verification: BROKEN,
          snapshots: [],
        },
      });
      const operator = conduct(scenario, {});
      const runner = scenario.start();
      expect(await Promise.race([runner.ended, operator.failed])).equal('Finished');
      operator.stop();
      expect(scenario.step('RestorePoint')?.evidence?.['format']).equal(format);
      expect(scenario.step('Rollback')?.message).match(/^The restore point took the database’s place/);
      await expectExactly(scenario, PUT_BACK);
    });
  }
});
