import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type BuildOptions, type Metafile } from 'esbuild';

/**
 * Puts each program into few files of JavaScript, so that images need no npm and hold only what runs. The Dockerfile
 * copies from the folder `dist` that this writes; the same sources give the same bytes.
 */

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Entry of each bundled program, by the name of its folder in `dist`. */
export const programs = {
  operator: 'operator/controller/main.ts',
  runner: 'operator/runner/main.ts',
  'planner-v1': 'examples/planner/v1/main.ts',
  'planner-v2': 'examples/planner/v2/main.ts',
} as const;
export type BundledProgram = keyof typeof programs;

/** What CommonJS dependencies expect to find, and an ES module does not have. */
const banner = [
  "import { createRequire as requireFrom } from 'node:module';",
  "import { dirname as folderOf } from 'node:path';",
  'const require = requireFrom(import.meta.url);',
  'const __filename = import.meta.filename;',
  'const __dirname = folderOf(__filename);',
].join(' ');

/** Files that a dependency reads from beside its own code, by a part of that code's path. */
const companions = { 'node_modules/libpg-query/': ['node_modules/libpg-query/wasm/libpg-query.wasm'] };

/** Files, relative to the clone, that must lie beside a bundle of these inputs. */
export function companionsOf({ inputs }: Pick<Metafile, 'inputs'>): string[] {
  return Object.entries(companions)
    .filter(([part]) => Object.keys(inputs).some((input) => input.includes(part)))
    .flatMap(([, files]) => files);
}

/**
 * Writes `dist/PROGRAM/main.mjs`, the parts that it loads on demand and the licences of what is in them, and Node's own licence.
 *
 * @throws Error naming the file and line that cannot be bundled
 */
export async function bundle(names = Object.keys(programs) as BundledProgram[]): Promise<void> {
  await Promise.all([...names.map(bundleOne), copyNodeLicense()]);
}

/** How esbuild makes a program of its sources. */
export const bundling = {
  absWorkingDir: root,
  outExtension: { '.js': '.mjs' },
  bundle: true,
  // What is imported on demand is read on demand: in a pod the operator never needs a kubeconfig's many ways to log in.
  splitting: true,
  platform: 'node',
  target: 'node24',
  format: 'esm',
  banner: { js: banner },
  // Names of functions and classes are in error messages and logs.
  keepNames: true,
  // Optional in pg; asking for it must fail as it does where it is not installed.
  external: ['pg-native'],
  logLevel: 'silent',
} satisfies BuildOptions;

async function bundleOne(name: BundledProgram): Promise<void> {
  const folder = join(root, 'dist', name);
  const result = await build({
    ...bundling,
    entryPoints: [programs[name]],
    outdir: folder,
    minify: true,
    // An uncaught error prints the line that it comes from.
    lineLimit: 160,
    legalComments: 'external',
    write: false,
    metafile: true,
  });
  const files = [
    ...result.outputFiles,
    ...(await Promise.all(
      companionsOf(result.metafile).map(async (file) => ({
        path: join(folder, basename(file)),
        contents: await readFile(join(root, file)),
      })),
    )),
  ];
  for (const file of files) await replace(file.path, file.contents);
  await removeOthers(folder, new Set(files.map(({ path }) => basename(path))));
}

/** Parts are named after their contents; those of older sources would pile up in the image. */
async function removeOthers(folder: string, wanted: Set<string>): Promise<void> {
  for (const name of await readdir(folder)) if (!wanted.has(name)) await rm(join(folder, name), { force: true });
}

async function copyNodeLicense(): Promise<void> {
  const packages = join(root, 'node_modules', 'node', 'node_modules');
  const platform = `node-${process.platform}-${process.arch}`;
  const candidates = [join(packages, platform), join(root, 'node_modules', platform)];
  const folder = candidates.find((candidate) => existsSync(join(candidate, 'LICENSE')));
  if (!folder) throw new Error(`The npm package ${platform} is not installed. Remove node_modules and run this again.`);
  await replace(join(root, 'dist', 'node', 'LICENSE'), await readFile(join(folder, 'LICENSE')));
}

/** Never leaves half a file: another command of the same clone may be building an image from it. */
async function replace(path: string, contents: Uint8Array): Promise<void> {
  const current = await readFile(path).catch(() => undefined);
  if (current && Buffer.compare(current, contents) === 0) return;
  const unfinished = join(root, 'dist', '.unfinished', `${process.pid}-${relative(root, path).replaceAll('/', '-')}`);
  for (const file of [path, unfinished]) await mkdir(dirname(file), { recursive: true });
  try {
    await writeFile(unfinished, contents);
    await rename(unfinished, path);
  } finally {
    await rm(unfinished, { force: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    await bundle();
  } catch (error) {
    console.error((error as Error).message);
    process.exitCode = 1;
  }
}
