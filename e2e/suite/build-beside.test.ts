import { expect } from 'chai';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeThrowawayFolder, removeThrowawayFolder } from '../cluster/throwaway.ts';
import { BuildBeside } from './build-beside.ts';

describe('Building beside the tests', () => {
  let folder: string;

  beforeEach(async () => {
    folder = await makeThrowawayFolder('buildbeside');
  });

  afterEach(() => removeThrowawayFolder(folder));

  const program = async (text: string): Promise<string> => {
    const file = join(folder, 'program.mjs');
    await writeFile(file, text);
    return file;
  };

  it('is told while somebody waits for it, is given the stages in their order, and ends when it is told to', async () => {
    const beside = new BuildBeside(
      ['postgres', 'cluster'],
      await program(
        'setInterval(() => console.log(`${process.pid} builds for ${process.argv.slice(2).join(" and ")}`), 5);',
      ),
    );
    const told = Promise.withResolvers<string>();
    const line = await beside.tellingDuring(told.resolve, () => told.promise);
    expect(line).to.match(/^\d+ builds for postgres and cluster$/);
    await beside.end();
    expect(() => process.kill(Number.parseInt(line), 0)).to.throw('ESRCH');
  });

  it('does not fail anything when it fails: the stage that needs it tries it again, and tells', async () => {
    const beside = new BuildBeside(['postgres'], await program('throw new Error("no network");'));
    await beside.end();
  });
});
