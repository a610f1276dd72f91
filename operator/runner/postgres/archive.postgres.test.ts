import { cp, mkdtemp, open, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { startPostgres, type Postgres } from '../../../e2e/cluster/postgres.ts';
import { manifestOf, readArchive, type Archive, type ArchiveFormat } from './archive.ts';
import { clientProgram } from './client-programs.ts';
import { compressionFor, dumpDatabase, restoreArchive, type DumpOptions } from './dump.ts';

const MAJOR = 15;

interface Damage {
  title: string;
  /** `file` is the archive, or with Directory the file of the table. */
  make: (archive: Archive, file: string) => Promise<unknown>;
  message: RegExp;
}

const DAMAGES: Damage[] = [
  { title: 'missing', make: ({ path }) => rm(path, { recursive: true }), message: /^archive \S+ is missing$/ },
  { title: 'truncated', make: (_, file) => truncate(file, 100), message: / is truncated: 100 of \d+ bytes$/ },
  {
    title: 'bit-flipped',
    make: (_, file) => flip(file, 200),
    message: / is not what was written: it has SHA-256 [0-9a-f]{64}, not SHA-256 [0-9a-f]{64}/,
  },
  {
    title: 'grown',
    make: (_, file) => writeFile(file, 'more', { flag: 'a' }),
    message: / is not what was written: it has \d+ bytes instead of \d+/,
  },
];

describe('An archive', function () {
  this.timeout(60_000);
  let server: Postgres;
  let folder: string;

  before(async () => {
    server = await startPostgres();
    for (const [database, rows] of [
      ['shop', 5000],
      ['other', 9000],
      ["it's = 1", 10],
    ] as const) {
      await server.psql(`CREATE DATABASE "${database}"`);
      await server.psql(`CREATE TABLE item AS SELECT n, md5(n::text) FROM generate_series(1, ${rows}) n`, database);
    }
  });
  after(() => server.stop());
  beforeEach(async () => (folder = await mkdtemp(join(tmpdir(), 'phase-migration-archive-'))));
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it('is compressed with what is quickest and there: pg_dump 15 has no zstd', async () => {
    const pgDump = (await clientProgram('pg_dump', MAJOR))!;
    expect(await compressionFor(pgDump, 'Auto')).equal('1');
    expect(await compressionFor(pgDump, 'Gzip')).equal('1');
    expect(await compressionFor(pgDump, 'None')).equal('0');
  });

  for (const format of ['Custom', 'Directory'] as const)
    describe(`of format ${format}`, () => {
      it('reads back whole and restores, whatever the name of the database', async () => {
        const archive = await dump("it's = 1", { format });
        await readArchive(archive, options(format));
        await server.psql('CREATE DATABASE "copy = 1"');
        await restoreArchive(archive.path, { ...options(format), database: 'copy = 1' });
        expect(await server.psql('SELECT count(*) FROM item', 'copy = 1')).equal('10');
        await server.psql('DROP DATABASE "copy = 1"');
      });

      for (const compression of ['Auto', 'None'] as const)
        for (const { title, make, message } of DAMAGES)
          it(`(compression ${compression}) that is ${title} is refused by name`, async () => {
            const archive = await dump('shop', { format, compression });
            await make(archive, tableFile(archive));
            expect(await refusal(archive)).match(message);
          });

      it('that was swapped for another database’s is refused, and says whose it is', async () => {
        const archive = await dump('shop', { format });
        const other = await dump('other', { format }, 'other.dump');
        await rm(archive.path, { recursive: true });
        await rename(other.path, archive.path);
        expect(await refusal(archive)).match(
          /is not what was written: .*; it is an archive of database "other", created/,
        );
      });

      it('takes the place of what an earlier start left half-written', async () => {
        const path = join(folder, 'shop.dump');
        const left = await dump('other', { format });
        await cp(left.path, `${path}.partial`, { recursive: true });
        await rename(left.path, path);
        const archive = await dump('shop', { format });
        await readArchive(archive, options(format));
      });
    });

  it('of format Directory with a file more than was written is refused', async () => {
    const archive = await dump('shop', { format: 'Directory' });
    await writeFile(join(archive.path, '9999.dat'), '');
    expect(await refusal(archive)).match(/has a file that pg_dump did not write: 9999\.dat$/);
  });

  it('of one format in the place of the other is refused', async () => {
    const archive = await dump('shop', { format: 'Custom' });
    await dump('shop', { format: 'Directory' });
    expect(await refusal(archive)).match(/was swapped: it is a folder$/);
  });

  it('whose list of files is not the one that its hash was taken of is refused', async () => {
    const archive = await dump('shop', { format: 'Directory' });
    const files = archive.files.slice(1);
    await rm(join(folder, archive.files[0]!.name));
    expect(await refusal({ ...archive, files })).match(/^the hashes of the files of archive \S+ are not those that/);
  });

  it('lists the hashes of its files as sha256sum does', () => {
    const files = [{ name: 'a.dump/toc.dat', sizeBytes: 1, sha256: 'ab' }];
    expect(manifestOf([...files, { ...files[0]!, name: 'b' }])).equal('ab  a.dump/toc.dat\nab  b\n');
  });

  const options = (format: ArchiveFormat): DumpOptions => ({
    address: { host: server.host, port: server.port, user: 'postgres', database: 'shop' },
    database: 'shop',
    application: 'test',
    major: MAJOR,
    signal: new AbortController().signal,
    format,
    compression: 'Auto',
    jobs: 2,
  });

  const dump = (
    database: string,
    chosen: Pick<DumpOptions, 'format'> & Partial<DumpOptions>,
    name = 'shop.dump',
  ): Promise<Archive> => dumpDatabase(join(folder, name), { ...options(chosen.format), database, ...chosen });

  const refusal = (archive: Archive): Promise<string> =>
    readArchive(archive, options(archive.format)).then(
      () => expect.fail('it was taken for good'),
      ({ message }: Error) => message,
    );
});

function tableFile({ path, format, files }: Archive): string {
  if (format === 'Custom') return path;
  const biggest = files.reduce((one, other) => (one.sizeBytes > other.sizeBytes ? one : other));
  return join(path, biggest.name.split('/')[1]!);
}

async function flip(path: string, offset: number): Promise<void> {
  const content = await readFile(path);
  content[content.length - offset]! ^= 1;
  const file = await open(path, 'r+');
  await file.write(content);
  await file.close();
}
