import { rm, truncate } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import {
  CopyObjectCommand,
  CreateBucketCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { expect } from 'chai';
import { startPostgres, type Postgres } from '../../e2e/cluster/postgres.ts';
import { startS3Server, type S3Server } from '../../e2e/cluster/s3-server.ts';
import { backup, type Backup } from '../api/backup.ts';
import { RUNNER_FORWARD_STEPS } from '../api/step-names.ts';
import { FILES, Scenario } from './testing/scenario.ts';

const BUCKET = 'backups';
const MEBIBYTE = 1_048_576;
const { '0002_price.down.sql': _down, ...WITHOUT_DOWN } = FILES;

describe('A backup with a bucket', function () {
  // MinIO is built for the first of them.
  this.timeout(900_000);
  let server: Postgres;
  let s3: S3Server;
  let client: S3Client;
  let scenario: Scenario;

  before(async () => {
    [server, s3] = await Promise.all([startPostgres(), startS3Server()]);
    login(s3.secretAccessKey);
    client = new S3Client({ endpoint: s3.endpoint, region: 'us-east-1', forcePathStyle: true });
    await client.send(new CreateBucketCommand({ Bucket: BUCKET }));
  });
  beforeEach(() => login(s3.secretAccessKey));
  afterEach(() => scenario.end());
  after(async () => {
    client.destroy();
    await Promise.all([server.stop(), s3.stop()]);
  });

  for (const format of ['Custom', 'Directory'] as const)
    it(`(${format}) is copied there before the outage, in parts, encrypted, with everything beside it`, async () => {
      await begin({ format, compression: 'None' }, { serverSideEncryption: 'AES256' });
      await scenario.sql(
        `CREATE TABLE bulk AS SELECT n, sha512(n::text::bytea) AS noise FROM generate_series(1, 250000) n; ALTER TABLE bulk OWNER TO "${scenario.owner}"`,
      );
      scenario.start();
      await scenario.reach('Prepared');
      const { archive, copy, sizeBytes } = scenario.memory.runner.backup!;
      expect(sizeBytes).greaterThan(20 * MEBIBYTE);
      const folder = `shop/planner/${namespace()}/${basename(dirname(archive))}`;
      expect(copy).equal(`s3://${BUCKET}/${folder}/${basename(archive)}`);
      expect(scenario.step('Backup')?.message).contain(`Copied to ${copy}.`);
      const objects = await sizes(folder);
      const names = [...objects.keys()].map((name) => name.slice(basename(archive).length));
      expect(names).include.members(['.json', '.sha256', '.create.sql', '.settings.sql', '.compare.sql']);
      const isPart = (name: string) => name === basename(archive) || name.startsWith(`${basename(archive)}/`);
      const stored = [...objects].filter(([name]) => isPart(name)).map(([, size]) => size);
      expect(stored.reduce((sum, size) => sum + size, 0)).equal(sizeBytes);
      const parts = [...objects.keys()].filter(isPart).map((name) => head(`${folder}/${name}`));
      const heads = await Promise.all(parts);
      expect(new Set(heads.map(({ ServerSideEncryption }) => ServerSideEncryption))).deep.equal(new Set(['AES256']));
      expect(
        heads.some(({ ChecksumSHA256 }) => /-\d+$/.test(ChecksumSHA256 ?? '')),
        'in parts',
      ).equal(true);
    });

  it('that holds something else under its name, of the same size, is mended by the next start', async () => {
    await begin();
    const first = scenario.start();
    await scenario.reach('Prepared');
    first.kill();
    await first.ended;
    const { archive, sizeBytes } = scenario.memory.runner.backup!;
    const key = keyOf(archive);
    const right = await text(key);
    await client.send(new PutObjectCommand({ Bucket: BUCKET, Key: key, Body: 'x'.repeat(sizeBytes) }));
    scenario.memory.setEpoch(++scenario.epoch);
    scenario.start();
    await scenario.memory.when(({ epoch, reachedGoal }) => epoch === 2 && reachedGoal === 'Prepared', 'prepared again');
    expect(scenario.step('Backup')?.evidence?.['reused']).equal('true');
    expect(await text(key)).equal(right);
  });

  for (const [what, spoil] of [
    ['lost', (archive: string) => rm(dirname(archive), { recursive: true })],
    ['damaged', (archive: string) => truncate(archive, 100)],
  ] as const)
    it(`is brought back from there by RestoreBackup where the one on the volume is ${what}`, async () => {
      await begin({}, {}, WITHOUT_DOWN);
      await stuck();
      const { archive } = scenario.memory.runner.backup!;
      await spoil(archive);
      scenario.memory.setResolution({ number: 1, action: 'RestoreBackup', archive, runnerEpoch: scenario.epoch + 1 });
      scenario.startNext();
      const { warnings } = await scenario.memory.when(
        ({ reachedGoal, epoch }) => reachedGoal === 'RolledBack' && epoch === 2,
        'undone',
      );
      expect(warnings?.join()).contain('The backup was brought back from the bucket');
      expect(await scenario.sql('SELECT count(*), sum(amount) FROM item')).equal('100|50500');
      await scenario.reach('Finished');
      expect(await scenario.leftovers()).deep.equal([]);
    });

  it('is not restored from there if that one is damaged too, and says what is wrong with it', async () => {
    await begin({}, {}, WITHOUT_DOWN);
    await stuck();
    const { archive } = scenario.memory.runner.backup!;
    await client.send(new PutObjectCommand({ Bucket: BUCKET, Key: keyOf(archive), Body: 'nothing' }));
    await rm(archive);
    scenario.memory.setResolution({ number: 1, action: 'RestoreBackup', archive, runnerEpoch: scenario.epoch + 1 });
    scenario.startNext();
    await scenario.memory.when(({ epoch }) => epoch === 2, 'the second start');
    expect((await scenario.failed('Rollback')).message).match(
      /the backup cannot be restored, and nothing was dropped for it: archive \S+ is truncated: 7 of \d+ bytes/,
    );
    expect(await scenario.sql('SELECT count(*) FROM item')).equal('101');
  });

  for (const [what, changes, secret, message] of [
    ['that does not exist', { bucket: 'nowhere' }, undefined, /cannot write s3:\/\/nowhere\/\S+: NoSuchBucket: /],
    ['whose key is wrong', {}, 'wrong-secret', /cannot write s3:\/\/backups\/\S+: SignatureDoesNotMatch: /],
    ['that nobody answers for', { endpoint: 'http://127.0.0.1:9' }, undefined, /cannot write \S+: .*ECONNREFUSED/],
  ] as const)
    it(`${what} fails it before anything is dumped, in words`, async () => {
      await begin({}, changes);
      if (secret) login(secret);
      scenario.start();
      const failed = await scenario.failed('Backup');
      expect(failed.reason).equal('BackupFailed');
      expect(failed.message).match(message);
      expect(JSON.stringify(scenario.memory.runner)).not.contain(secret ?? s3.secretAccessKey);
      expect(scenario.memory.runner.steps?.map(({ name }) => name)).deep.equal(RUNNER_FORWARD_STEPS.slice(0, 2));
      await scenario.reach('RolledBack');
      await scenario.reach('Finished');
    });

  it('whose time is over is removed there too', async () => {
    await begin({ retention: { maxAgeDays: 30, keepLast: 1 } });
    scenario.start();
    await scenario.reach('Prepared');
    const own = keyOf(scenario.memory.runner.backup!.archive);
    const folder = dirname(own);
    for (const name of (await sizes(folder)).keys()) {
      if (name === 'in-use') continue;
      const Key = `${dirname(folder)}/old/${name}`;
      await client.send(
        new CopyObjectCommand({ Bucket: BUCKET, CopySource: encodeURI(`${BUCKET}/${folder}/${name}`), Key }),
      );
    }
    const record = JSON.parse(await text(`${own}.json`)) as { takenAt: string };
    const Body = JSON.stringify({ ...record, takenAt: '2020-01-01T00:00:00Z' });
    const Key = `${dirname(folder)}/old/${basename(own)}.json`;
    await client.send(new PutObjectCommand({ Bucket: BUCKET, Key, Body }));
    await scenario.reach('Migrated');
    await scenario.reach('Finished');
    expect([...(await sizes(`${dirname(folder)}/old`)).keys()]).deep.equal([]);
    expect([...(await sizes(folder)).keys()])
      .include(basename(own))
      .not.include('in-use');
    expect(scenario.memory.runner.removedBackups).deep.equal(['old']);
  });

  function login(secretAccessKey: string): void {
    process.env['AWS_ACCESS_KEY_ID'] = s3.accessKeyId;
    process.env['AWS_SECRET_ACCESS_KEY'] = secretAccessKey;
  }

  const namespace = () => scenario.memory.run.metadata.namespace!;
  const keyOf = (archive: string) => join('shop/planner', namespace(), basename(dirname(archive)), basename(archive));

  async function begin(
    changes: Partial<Backup> = {},
    bucket: Partial<NonNullable<Backup['s3']>> = {},
    files: Record<string, string> = FILES,
  ): Promise<void> {
    const where = { bucket: BUCKET, prefix: 'shop/planner', endpoint: s3.endpoint, ...bucket };
    const plan = { backup: { ...backup.parse({ claimName: 'backup', s3: where }), ...changes } };
    scenario = await Scenario.create(server, { files, plan });
  }

  /** Migrated, written to by a client, and stuck on the way back. */
  async function stuck(): Promise<void> {
    scenario.start();
    await scenario.reach('Prepared');
    await scenario.reach('Migrated');
    await scenario.sql(`SET ROLE "${scenario.client}"; INSERT INTO item VALUES (4711, 1, 'of a client')`);
    scenario.memory.setGoal('RolledBack');
    await scenario.failed('Rollback');
  }

  async function sizes(folder: string): Promise<Map<string, number>> {
    const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: BUCKET, Prefix: `${folder}/` }));
    return new Map(Contents.map(({ Key = '', Size = 0 }) => [Key.slice(folder.length + 1), Size]));
  }

  const head = (Key: string) => client.send(new HeadObjectCommand({ Bucket: BUCKET, Key, ChecksumMode: 'ENABLED' }));

  async function text(Key: string): Promise<string> {
    const { Body } = await client.send(new GetObjectCommand({ Bucket: BUCKET, Key }));
    return Body!.transformToString('latin1');
  }
});
