import { expect } from 'chai';
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { contextParts, includedFiles } from './build-context.ts';
import { contentHash } from './hash.ts';

describe('what an image is built from', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'build-context-'));
    for (const path of ['Dockerfile', 'src/a.ts', 'src/a.test.ts', 'modules/x/index.js', 'modules/node/bin/node']) {
      await mkdir(join(folder, dirname(path)), { recursive: true });
      await writeFile(join(folder, path), path);
    }
  });
  afterEach(() => rm(folder, { recursive: true }));

  const hash = async () => contentHash(await contextParts(folder));

  it('is every file when there are no rules', async () => {
    expect(await includedFiles(folder, '')).to.have.members([
      'Dockerfile',
      'modules/node/bin/node',
      'modules/x/index.js',
      'src/a.test.ts',
      'src/a.ts',
    ]);
  });

  it('leaves out what .dockerignore names and brings back its exceptions', async () => {
    expect(await includedFiles(folder, '*\n!src\n!modules/node/bin\n**/*.test.ts')).to.deep.equal([
      'modules/node/bin/node',
      'src/a.ts',
    ]);
  });

  it('brings back an exception behind a wildcard', async () => {
    expect(await includedFiles(folder, 'modules\n!modules/*/bin')).to.include('modules/node/bin/node');
  });

  it('counts content, path, the right to execute and where a link points', async () => {
    const seen = [await hash()];
    await writeFile(join(folder, 'src/a.ts'), 'changed');
    seen.push(await hash());
    await chmod(join(folder, 'src/a.ts'), 0o755);
    seen.push(await hash());
    await symlink('a.ts', join(folder, 'src/link'));
    seen.push(await hash());
    await rm(join(folder, 'src/link'));
    await symlink('a.test.ts', join(folder, 'src/link'));
    seen.push(await hash());
    expect(new Set(seen).size).to.equal(seen.length);
  });

  it('does not count what is ignored', async () => {
    await writeFile(join(folder, '.dockerignore'), 'modules\n');
    const before = await hash();
    await writeFile(join(folder, 'modules/x/index.js'), 'changed');
    expect(await hash()).to.equal(before);
  });
});

describe('a content hash', () => {
  it('tells parts that join to the same text apart', () => {
    expect(contentHash(['ab', 'c'])).not.to.equal(contentHash(['a', 'bc']));
  });
});
