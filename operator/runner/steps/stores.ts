import { mkdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileSafe } from '../core/names.ts';
import type { Archive } from '../postgres/archive.ts';
import type { S3Store } from '../storage/s3.ts';
import type { BackupStore } from '../storage/store.ts';
import { VolumeStore } from '../storage/volume.ts';
import type { Work } from '../work.ts';
import { runFolder, runFolderName } from './schema-file.ts';

/** What has to be known of a run to find its backups. */
export type Place = Pick<Work, 'folders' | 'run' | 'spec' | 'signal'>;

/** Everywhere that backups of the run's namespace are kept. */
export async function storesOf(place: Place): Promise<BackupStore[]> {
  const volume = new VolumeStore(join(place.folders.backup, fileSafe(place.run.namespace)));
  const bucket = await bucketOf(place);
  return bucket ? [volume, bucket] : [volume];
}

/** Loaded on demand: most runs have no bucket, and its client takes as much memory as everything else. */
async function bucketOf({ run, spec, signal }: Place): Promise<S3Store | undefined> {
  const { s3 } = spec.plan.backup;
  if (!s3) return undefined;
  const { S3Store } = await import('../storage/s3.ts');
  return new S3Store(s3, fileSafe(run.namespace), signal);
}

/**
 * Copies a finished archive, and what is beside it, to the bucket; the record comes last and makes it a backup there.
 * What is there already is not copied again.
 *
 * @returns its address there, or undefined where the plan names no bucket
 */
export async function copyToBucket(work: Work, archive: Archive): Promise<string | undefined> {
  const bucket = await bucketOf(work);
  if (!bucket) return undefined;
  const folder = runFolderName(work.run);
  for (const { name, sha256 } of archive.files)
    await bucket.upload(join(dirname(archive.path), name), folder, name, sha256);
  const record = `${basename(archive.path)}.json`;
  const beside = [...(await filesBeside(work, archive.path)).filter((name) => name !== record), record];
  const volume = new VolumeStore(dirname(runFolder(work)));
  for (const name of beside) await bucket.write(folder, name, (await volume.read(folder, name))!);
  return bucket.address(folder, basename(archive.path));
}

async function filesBeside(work: Work, path: string): Promise<string[]> {
  const files = await new VolumeStore(dirname(runFolder(work))).files(runFolderName(work.run));
  return [...files.keys()].filter((name) => name.startsWith(`${basename(path)}.`));
}

/**
 * Brings the archive and what is beside it back from the bucket, over whatever is on the volume.
 *
 * @returns false where the plan names no bucket
 * @throws Error saying that it is not there, or what the server refused
 */
export async function fetchFromBucket(work: Work, path: string): Promise<boolean> {
  const bucket = await bucketOf(work);
  if (!bucket) return false;
  const folder = runFolderName(work.run);
  const name = basename(path);
  const own = [...(await bucket.files(folder)).keys()].filter(
    (file) => file === name || file.startsWith(`${name}.`) || file.startsWith(`${name}/`),
  );
  if (own.length === 0) throw new Error(`${bucket.address(folder, name)} is missing`);
  for (const file of own) {
    const to = join(dirname(path), file);
    await mkdir(dirname(to), { recursive: true });
    await bucket.download(folder, file, to);
  }
  return true;
}
