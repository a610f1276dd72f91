import { expect } from 'chai';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { withLock } from './lock.ts';
import { silent } from './progress.ts';

const module = join(import.meta.dirname, 'lock.ts');

describe('a lock', function () {
  this.timeout(20_000);
  let folder: string;
  let file: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lock-'));
    file = join(folder, 'below', 'lock');
  });
  afterEach(() => rm(folder, { recursive: true }));

  it('lets one in at a time', async () => {
    let inside = 0;
    let most = 0;
    const work = async () => {
      inside += 1;
      most = Math.max(most, inside);
      await new Promise(setImmediate);
      inside -= 1;
    };
    await Promise.all([1, 2, 3, 4].map(() => withLock(file, silent, work)));
    expect(most).to.equal(1);
  });

  it('is free again after an error, which it hands on', async () => {
    const failed = await withLock(file, silent, () => Promise.reject(new Error('broken'))).catch((e: unknown) => e);
    expect(failed).to.have.property('message', 'broken');
    expect(await withLock(file, silent, () => Promise.resolve('in'))).to.equal('in');
  });

  it('is free again as soon as its owner is killed, and says before whom it waits for', async () => {
    const script = `import { withLock } from ${JSON.stringify(module)};
      await withLock(${JSON.stringify(file)}, () => {}, () => { console.log('held'); return new Promise(() => setInterval(() => {}, 1000)); });`;
    const owner = spawn(process.execPath, ['--input-type=module', '--eval', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(owner.stdout, 'data');
    const told: string[] = [];
    const entered = withLock(
      file,
      (line) => {
        told.push(line);
        owner.kill('SIGKILL');
      },
      () => Promise.resolve('in'),
    );
    expect(await entered).to.equal('in');
    expect(told.join()).to.contain(`process ${owner.pid}`);
  });
});
