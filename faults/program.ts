import { copyFile, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { build, type Plugin } from 'esbuild';
import { cloneRoot } from '../e2e/cluster/paths.ts';
import { bundling, companionsOf, programs } from '../setup/bundle.ts';
import { RUN_PROTOCOL } from '../operator/api/names.ts';

/** A planted bug: one place of the source says something else. */
export interface Patch {
  /** Relative to the clone. */
  file: string;
  find: string;
  replace: string;
}

/**
 * Bundles the operator as its image has it, from the sources that are there now, into a folder of its own.
 *
 * @param patches changed on the way; the sources themselves stay as they are
 * @returns path of the program
 * @throws Error when a patch does not fit its file exactly once: then it plants nothing
 */
export async function buildOperator(folder: string, patches: Patch[] = []): Promise<string> {
  return buildProgram(programs.operator, folder, patches);
}

/** Bundles the runner as its image has it, as {@link buildOperator} does the operator. */
export async function buildRunnerProgram(folder: string, patches: Patch[] = []): Promise<string> {
  return buildProgram(programs.runner, folder, patches);
}

/** Bundles the runner that `RunnerProcesses` starts, as {@link buildOperator} does the operator. */
export async function buildRunner(folder: string, patches: Patch[] = []): Promise<string> {
  return buildProgram('operator/runner/testing/process-main.ts', folder, patches);
}

async function buildProgram(entry: string, folder: string, patches: Patch[]): Promise<string> {
  const { metafile } = await build({
    ...bundling,
    entryPoints: [entry],
    outdir: folder,
    metafile: true,
    plugins: [patcher(patches)],
  });
  for (const file of companionsOf(metafile)) await copyFile(join(cloneRoot, file), join(folder, basename(file)));
  return join(folder, basename(entry).replace(/\.ts$/, '.mjs'));
}

/** Makes a build whose runs the sources that are there do not understand. */
const NEWER_VERSION: Patch = {
  file: 'operator/api/names.ts',
  find: `RUN_PROTOCOL = ${RUN_PROTOCOL};`,
  replace: `RUN_PROTOCOL = ${RUN_PROTOCOL + 1};`,
};

/** Bundled operators of two versions. */
export interface Versions {
  current: string;
  newer: string;
}

/** The sources as they are, and a version of them that a later release might be. */
export async function buildVersions(folder: string): Promise<Versions> {
  const [current, newer] = await Promise.all([
    buildOperator(join(folder, 'operator')),
    buildOperator(join(folder, 'newer'), [NEWER_VERSION]),
  ]);
  return { current, newer };
}

function patcher(patches: Patch[]): Plugin {
  return {
    name: 'planted-bugs',
    setup: (build) => {
      const left = new Set(patches.map(({ file }) => file));
      build.onLoad({ filter: /\/operator\/.*\.ts$/ }, async ({ path }) => {
        const own = patches.filter(({ file }) => path === join(cloneRoot, file));
        if (own.length === 0) return undefined;
        let contents = await readFile(path, 'utf8');
        for (const { file, find, replace } of own) {
          const places = contents.split(find).length - 1;
          if (places !== 1) throw new Error(`A planted bug fits ${places} places of ${file} instead of one: ${find}`);
          contents = contents.replace(find, () => replace);
          left.delete(file);
        }
        return { contents, loader: 'ts' };
      });
      build.onEnd(() => {
        if (left.size > 0) throw new Error(`No planted bug was put into ${[...left].join(', ')}.`);
      });
    },
  };
}
