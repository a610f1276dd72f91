import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import type { BackupStore } from './store.ts';

/** Of a folder that is being removed: what is left of it is nobody's backup. */
const REMOVING = '.removing';

/** The backups of a namespace on the volume. */
export class VolumeStore implements BackupStore {
  readonly place = 'the backup volume';
  readonly #root: string;

  /** @param root folder of the namespace on the volume */
  constructor(root: string) {
    this.#root = root;
  }

  async folders(): Promise<string[]> {
    const entries = await readdir(this.#root, { withFileTypes: true }).catch(ignoreMissing);
    const names = (entries ?? []).filter((entry) => entry.isDirectory()).map(({ name }) => name);
    for (const name of names.filter((name) => name.endsWith(REMOVING)))
      await rm(join(this.#root, name), { recursive: true, force: true });
    return names.filter((name) => !name.endsWith(REMOVING));
  }

  async files(folder: string): Promise<Map<string, number>> {
    const root = join(this.#root, folder);
    const entries = await readdir(root, { recursive: true, withFileTypes: true });
    const paths = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
    return new Map(
      await Promise.all(paths.map(async (path) => [relative(root, path), (await stat(path)).size] as const)),
    );
  }

  read(folder: string, file: string): Promise<string | undefined> {
    return readFile(join(this.#root, folder, file), 'utf8').catch(ignoreMissing);
  }

  async write(folder: string, file: string, text: string): Promise<void> {
    await mkdir(join(this.#root, folder), { recursive: true });
    await writeFile(join(this.#root, folder, file), text, { flush: true, mode: 0o600 });
  }

  async removeFile(folder: string, file: string): Promise<void> {
    await rm(join(this.#root, folder, file), { force: true });
  }

  async removeFolder(folder: string): Promise<void> {
    const path = join(this.#root, folder);
    await rename(path, path + REMOVING);
    await rm(path + REMOVING, { recursive: true, force: true });
  }
}

function ignoreMissing(error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
}
