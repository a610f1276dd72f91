import { cp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { expect } from 'chai';
import { startPostgres, type Postgres } from '../../e2e/cluster/postgres.ts';
import { BACKUP, FILES, Scenario } from './testing/scenario.ts';
import type { ArchiveRecord } from './steps/archive-record.ts';

const RETENTION = { ...BACKUP, retention: { maxAgeDays: 30, keepLast: 2 } };
const DAY_MS = 86_400_000;

describe('Backups whose time is over', function () {
  this.timeout(60_000);
  let server: Postgres;
  let scenario: Scenario;

  before(async () => {
    server = await startPostgres();
  });
  after(() => server.stop());
  afterEach(() => scenario.end());

  it('are removed when a run ends, but not the last good ones', async () => {
    const own = await backedUp(RETENTION);
    await older('sixty', 60);
    await older('fifty', 50);
    const damaged = await older('forty', 40);
    await truncate(damaged, 10);
    await truncate(await older('recent', 20), 10);
    await rm(await older('lost', 70));
    await finished();
    expect(await folders()).to.have.members([own, 'recent', 'fifty']);
    expect(scenario.memory.runner.removedBackups).to.have.members(['sixty', 'forty', 'lost']);
    expect(scenario.memory.runner.warnings ?? []).not.to.match(/backup/i);
  });

  it('stay where the manifest does not say for how long they are kept', async () => {
    const own = await backedUp(BACKUP);
    await older('ancient', 3000);
    await finished();
    expect(await folders()).to.have.members([own, 'ancient']);
  });

  it('stay while a run of the database has not ended, which is said', async () => {
    const own = await backedUp(RETENTION);
    for (const [name, days] of Object.entries({ stuck: 90, old: 80, good: 70, better: 60 })) await older(name, days);
    await cp(join(parent(), own, 'in-use'), join(parent(), 'stuck', 'in-use'));
    await finished();
    expect(await folders()).to.have.members([own, 'stuck', 'old', 'good', 'better']);
    expect(scenario.memory.runner.warnings?.join('\n')).to.match(
      /No backup on the backup volume was removed: stuck\/in-use says that its run has not ended/,
    );
  });

  it('of another database stay, and so does what a removal that was cut off left of none', async () => {
    const own = await backedUp({ ...BACKUP, retention: { maxAgeDays: 30, keepLast: 1 } });
    await older('another', 900, { database: 'another' });
    await older('another-server', 900, { systemIdentifier: '1' });
    await older('half.removing', 900);
    await finished();
    expect(await folders()).to.have.members([own, 'another', 'another-server']);
  });

  it('stay while the run itself waits for a person', async () => {
    const broken = { '0002_price.down.sql': 'SELECT 1/0' };
    const own = await backedUp(RETENTION, { ...FILES, ...broken });
    await older('sixty', 60);
    await older('fifty', 50);
    await older('forty', 40);
    await scenario.reach('Migrated');
    scenario.memory.setGoal('RolledBack');
    await scenario.failed('Rollback');
    await scenario.reach('Finished');
    expect(await folders()).to.have.members([own, 'sixty', 'fifty', 'forty']);
    expect(await readdir(join(parent(), own))).to.include('in-use');
  });

  it('may be removed later where a run ends before it has touched anything', async () => {
    const own = await backedUp(RETENTION);
    await scenario.reach('RolledBack');
    await scenario.reach('Finished');
    expect(await readdir(join(parent(), own))).not.to.include('in-use');
  });

  const parent = () => dirname(dirname(scenario.memory.runner.backup!.archive));
  const folders = () => readdir(parent());

  /** @returns the folder of the run’s own backup */
  async function backedUp(backup: typeof BACKUP, files = FILES): Promise<string> {
    scenario = await Scenario.create(server, { files, plan: { backup } });
    scenario.start();
    await scenario.reach('Prepared');
    return basename(dirname(scenario.memory.runner.backup!.archive));
  }

  /** A backup like the run’s own that was taken so many days ago. @returns its archive */
  async function older(name: string, days: number, changes: Partial<ArchiveRecord> = {}): Promise<string> {
    const { archive } = scenario.memory.runner.backup!;
    const copy = join(parent(), name, basename(archive));
    await cp(dirname(archive), dirname(copy), { recursive: true });
    await rm(join(dirname(copy), 'in-use'));
    const record = JSON.parse(await readFile(`${copy}.json`, 'utf8')) as ArchiveRecord;
    const takenAt = new Date(Date.now() - days * DAY_MS).toISOString();
    await writeFile(`${copy}.json`, JSON.stringify({ ...record, takenAt, runUid: name, ...changes }));
    return copy;
  }

  async function finished(): Promise<void> {
    await scenario.reach('Migrated');
    await scenario.reach('Finished');
  }
});
