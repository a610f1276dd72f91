import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { cloneRoot } from '../e2e/cluster/paths.ts';
import { mutations as ofControl } from './control/mutations.ts';
import { mutations as ofDatabase } from './database/mutations.ts';
import { mutations as ofRunner } from './runner/mutations.ts';

const all = [...ofControl, ...ofRunner, ...ofDatabase];

describe('Planted bugs', () => {
  for (const { name, patches } of all)
    it(`fit the sources as they are: ${name}`, async () => {
      for (const { file, find, replace } of patches) {
        const text = await readFile(join(cloneRoot, file), 'utf8');
        expect(text.split(find).length - 1, `places in ${file} for ${find}`).to.equal(1);
        expect(replace).not.to.equal(find);
      }
    });

  it('have names of their own', () => {
    const names = all.map(({ name }) => name);
    expect(new Set(names).size).to.equal(names.length);
  });
});
