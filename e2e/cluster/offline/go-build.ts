import { existsSync } from 'node:fs';
import { mkdir, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { contentHash } from '../hash.ts';
import { withLock } from '../lock.ts';
import { cacheFolder } from '../paths.ts';
import { silent, type Progress } from '../progress.ts';
import { goPrograms, type ProgramName } from './binaries.ts';

const moduleFolder = (module: string) => join(import.meta.dirname, 'go', module);

/**
 * Makes sure that the programs are built, and says where each is. Built once for all clones; a file in the cache is
 * always a finished program, because it gets its name only after the build has ended.
 *
 * @throws Error with the compiler's last lines, or saying how to get Go when there is none
 */
export async function ensurePrograms<Name extends ProgramName>(
  names: readonly Name[],
  progress: Progress = silent,
): Promise<Record<Name, string>> {
  const files = await programFiles(names);
  for (const [name, file] of Object.entries(files) as [Name, string][]) {
    if (existsSync(file)) continue;
    // A lock of its own for each: who needs only one does not wait for all that another command builds.
    await withLock(`${file}.lock`, progress, async () => {
      if (!existsSync(file)) await build(name, file, progress);
    });
  }
  return files;
}

/** Where `ensurePrograms` puts the programs; the paths change with everything that the programs are built from. */
export async function programFiles<Name extends ProgramName>(names: readonly Name[]): Promise<Record<Name, string>> {
  const toolchain = await goToolchain();
  const entries = await Promise.all(names.map(async (name) => [name, await programFile(name, toolchain)] as const));
  return Object.fromEntries(entries) as Record<Name, string>;
}

/** Where the sources of a dependency are that a go.mod in `go/` names, downloaded if need be. */
export async function moduleSources(module: string, dependency: string): Promise<string> {
  const cwd = moduleFolder(module);
  await go(['mod', 'download', dependency], cwd);
  return go(['list', '-m', '-f', '{{.Dir}}', dependency], cwd);
}

async function goToolchain(): Promise<string> {
  return (await go(['env', 'GOVERSION', 'GOOS', 'GOARCH'], moduleFolder('kubernetes'))).replaceAll('\n', '-');
}

async function programFile(name: ProgramName, toolchain: string): Promise<string> {
  const program = goPrograms[name];
  const folder = moduleFolder(program.module);
  const pinned = await Promise.all(['go.mod', 'go.sum'].map((file) => readFile(join(folder, file))));
  const hash = contentHash([toolchain, program.package, program.ldflags, ...pinned]);
  return join(cacheFolder(), 'programs', hash, name);
}

async function build(name: ProgramName, file: string, progress: Progress): Promise<void> {
  const program = goPrograms[name];
  progress(`building ${name} from its Go module`);
  const unfinished = `${file}.unfinished`;
  await mkdir(join(file, '..'), { recursive: true });
  const args = ['build', '-v', '-trimpath', '-ldflags', program.ldflags, '-o', unfinished, program.package];
  await go(args, moduleFolder(program.module), counter(name, progress));
  await rename(unfinished, file);
}

/** Tells how many packages were compiled, so that a person sees that a build of minutes is moving. */
function counter(name: string, progress: Progress): (line: string) => void {
  const start = Date.now();
  let packages = 0;
  let told = start;
  return () => {
    packages += 1;
    if (Date.now() - told < 10_000) return;
    told = Date.now();
    progress(`building ${name}: ${packages} packages after ${Math.round((told - start) / 1000)} s`);
  };
}

async function go(args: string[], cwd: string, onLine?: (line: string) => void): Promise<string> {
  const options = { cwd, env: { CGO_ENABLED: '0' }, stdin: 'ignore', reject: false } as const;
  const child = execa('go', args, options);
  if (onLine) for await (const line of child.iterable({ from: 'stderr' })) onLine(line);
  const result = await child;
  if (result.exitCode === 0) return result.stdout;
  if (result.code === 'ENOENT')
    throw new Error('Go was not found. Install Go 1.25 or newer so that the command `go` works, and run this again.');
  const end = (result.stderr || (result.shortMessage ?? '')).trimEnd().split('\n').slice(-10).join('\n');
  throw new Error(`'go ${args[0]}' failed in ${cwd}. Its last lines:\n${end}`);
}
