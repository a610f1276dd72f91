import ignore from '@balena/dockerignore';
import { lstat, readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * What of a build context an image can depend on: path, kind and content of each file that .dockerignore lets through,
 * in a fixed order, to be hashed.
 */
export async function contextParts(context: string): Promise<(string | Uint8Array)[]> {
  const rules = await readFile(join(context, '.dockerignore'), 'utf8').catch(() => '');
  const parts: (string | Uint8Array)[] = [];
  for (const path of await includedFiles(context, rules)) {
    const file = join(context, path);
    const stats = await lstat(file);
    const kind = stats.isSymbolicLink() ? 'link' : stats.mode & 0o111 ? 'program' : 'file';
    parts.push(path, kind, stats.isSymbolicLink() ? await readlink(file) : await readFile(file));
  }
  return parts;
}

/** Paths of all files below `folder` that the rules of a .dockerignore file let through, sorted. */
export async function includedFiles(folder: string, rules: string): Promise<string[]> {
  const lines = rules.split('\n').map((line) => line.trim());
  const matcher = ignore.default().add(lines);
  const exceptions = lines.filter((line) => line.startsWith('!')).map((line) => line.slice(1).replace(/^\//, ''));
  const files: string[] = [];
  const walk = async (prefix: string) => {
    for (const entry of await readdir(join(folder, prefix), { withFileTypes: true })) {
      const path = prefix + entry.name;
      if (!entry.isDirectory()) {
        if (!matcher.ignores(path)) files.push(path);
      } else if (!matcher.ignores(path) || exceptions.some((exception) => mayBeBelow(exception, path))) {
        await walk(`${path}/`);
      }
    }
  };
  await walk('');
  return files.sort();
}

/** Whether a path that the pattern brings back can lie in an ignored folder; saves walking through node_modules. */
function mayBeBelow(exception: string, folder: string): boolean {
  const pattern = exception.split('/');
  return folder.split('/').every((name, depth) => {
    const part = pattern[depth];
    return part === undefined || /[*?[\\]/.test(part) || part === name;
  });
}
