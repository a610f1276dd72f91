import { expect } from 'chai';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isLongGone } from './abandoned.ts';

describe('the cluster of a clone', () => {
  const noon = Date.parse('2026-01-01T12:00:00Z');
  const minute = 60_000;
  let folder: string;
  let clone: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'abandoned-'));
    clone = join(folder, 'clone');
  });
  afterEach(() => rm(folder, { recursive: true }));

  it('stays until the clone was missing for an hour', async () => {
    expect(await isLongGone(folder, clone, noon)).to.equal(false);
    expect(await isLongGone(folder, clone, noon + 59 * minute)).to.equal(false);
    expect(await isLongGone(folder, clone, noon + 60 * minute)).to.equal(true);
  });

  it('stays when the clone was seen again meanwhile', async () => {
    expect(await isLongGone(folder, clone, noon)).to.equal(false);
    await mkdir(clone);
    expect(await isLongGone(folder, clone, noon + 90 * minute)).to.equal(false);
    await rm(clone, { recursive: true });
    expect(await isLongGone(folder, clone, noon + 100 * minute)).to.equal(false);
    expect(await isLongGone(folder, clone, noon + 159 * minute)).to.equal(false);
  });
});
