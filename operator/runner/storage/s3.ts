import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import type { Readable } from 'node:stream';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  type ListObjectsV2CommandOutput,
  paginateListObjectsV2,
  PutObjectCommand,
  S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import type { Plan } from '../../api/plan.ts';
import type { BackupStore } from './store.ts';

export type S3Settings = NonNullable<Plan['backup']['s3']>;

const MEBIBYTE = 1_048_576;
const LEAST_PART_BYTES = 8 * MEBIBYTE;
const MOST_PARTS = 10_000;
/** Each holds a part in memory. */
const PARALLEL_PARTS = 2;
/** An object whose removal makes all the others of its folder nobody's backup: it goes first. */
const RECORD = /\.json$/;

/**
 * The backups of a namespace in a bucket of S3 or of a server that speaks its protocol
 * (https://docs.aws.amazon.com/AmazonS3/latest/API/). Who it is comes from the environment, as for every AWS client.
 */
export class S3Store implements BackupStore {
  readonly place: string;
  readonly #client: S3Client;
  readonly #settings: S3Settings;
  readonly #root: string;
  readonly #signal: AbortSignal;

  constructor(settings: S3Settings, namespace: string, signal: AbortSignal) {
    const { bucket, prefix, region, endpoint } = settings;
    this.#settings = settings;
    this.#root = [...(prefix ? [prefix.replace(/\/+$/, '')] : []), namespace].join('/');
    this.place = `s3://${bucket}/${this.#root}`;
    this.#signal = signal;
    this.#client = new S3Client({
      region,
      // A server of one's own has rarely a name in DNS for each bucket.
      ...(endpoint ? { endpoint, forcePathStyle: true } : {}),
      requestChecksumCalculation: 'WHEN_REQUIRED',
    });
  }

  /** Address of a file of a run. */
  address(folder: string, file: string): string {
    return `${this.place}/${folder}/${file}`;
  }

  async folders(): Promise<string[]> {
    const root = `${this.#root}/`;
    const pages = await this.#list(root, '/');
    return pages.flatMap(({ CommonPrefixes = [] }) =>
      CommonPrefixes.map(({ Prefix = '' }) => Prefix.slice(root.length, -1)),
    );
  }

  async files(folder: string): Promise<Map<string, number>> {
    const root = this.#key(folder, '');
    const pages = await this.#list(root);
    const objects = pages.flatMap(({ Contents = [] }) => Contents);
    return new Map(objects.map(({ Key = '', Size = 0 }) => [Key.slice(root.length), Size]));
  }

  async read(folder: string, file: string): Promise<string | undefined> {
    try {
      const { Body } = await this.#ask('read', folder, file, (at) => this.#client.send(new GetObjectCommand(at)));
      return await Body!.transformToString();
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  async write(folder: string, file: string, text: string): Promise<void> {
    await this.#ask('write', folder, file, (at) =>
      this.#client.send(
        new PutObjectCommand({ ...at, ...this.#encryption(), Body: text, ChecksumAlgorithm: 'SHA256' }),
      ),
    );
  }

  async removeFile(folder: string, file: string): Promise<void> {
    await this.#ask('remove', folder, file, (at) => this.#client.send(new DeleteObjectCommand(at)));
  }

  async removeFolder(folder: string): Promise<void> {
    const files = [...(await this.files(folder)).keys()];
    for (const file of [...files.filter((name) => RECORD.test(name)), ...files.filter((name) => !RECORD.test(name))])
      await this.removeFile(folder, file);
  }

  /**
   * Copies a file there, in parts whose SHA-256 the server checks, and proves that what is there is that file: by the
   * server's own checksum and size, or by reading it back where the server tells no checksum. What is there already is
   * proved only.
   *
   * @param sha256 of the file, in hexadecimal digits
   * @throws Error saying what the server refused, or how what is there differs
   */
  async upload(path: string, folder: string, file: string, sha256: string): Promise<void> {
    const { size } = await stat(path);
    const partBytes = Math.max(LEAST_PART_BYTES, Math.ceil(size / MOST_PARTS / MEBIBYTE) * MEBIBYTE);
    const expected = { size, ...(await checksumOf(path, size, partBytes)) };
    if (expected.sha256 !== sha256) throw new Error(`${path} has SHA-256 ${expected.sha256} instead of ${sha256}`);
    if ((await this.#differenceOf(folder, file, expected)) === undefined) return;
    await this.#ask('write', folder, file, (at) => this.#send(at, path, partBytes));
    const difference = await this.#differenceOf(folder, file, expected);
    if (difference !== undefined) throw new Error(`${this.address(folder, file)} ${difference}`);
  }

  async #send(at: { Bucket: string; Key: string }, path: string, partBytes: number): Promise<void> {
    const upload = new Upload({
      client: this.#client,
      params: { ...at, ...this.#encryption(), Body: createReadStream(path), ChecksumAlgorithm: 'SHA256' },
      partSize: partBytes,
      queueSize: PARALLEL_PARTS,
    });
    const stop = () => void upload.abort();
    this.#signal.addEventListener('abort', stop, { once: true });
    try {
      await upload.done();
    } finally {
      this.#signal.removeEventListener('abort', stop);
    }
  }

  /** Copies a file from there. @throws Error where there is none */
  async download(folder: string, file: string, path: string): Promise<void> {
    const { Body } = await this.#ask('read', folder, file, (at) => this.#client.send(new GetObjectCommand(at)));
    await pipeline(Body as Readable, createWriteStream(path, { mode: 0o600 }), { signal: this.#signal });
  }

  /** How what is there differs from what it should be, in words; undefined if it does not. */
  async #differenceOf(
    folder: string,
    file: string,
    expected: Checksum & { size: number },
  ): Promise<string | undefined> {
    const found = await this.#ask('read', folder, file, (at) =>
      this.#client.send(new HeadObjectCommand({ ...at, ChecksumMode: 'ENABLED' })),
    ).catch((error: unknown) => (isMissing(error) ? undefined : Promise.reject(error as Error)));
    if (!found) return 'is missing';
    if (found.ContentLength !== expected.size) return `has ${found.ContentLength} bytes instead of ${expected.size}`;
    const { serverSideEncryption: wanted } = this.#settings;
    if (wanted && found.ServerSideEncryption !== wanted)
      return `is not encrypted with ${wanted}, but with ${found.ServerSideEncryption ?? 'nothing'}`;
    if (found.ChecksumSHA256 === expected.ofParts) return undefined;
    const sha256 = await this.#readBack(folder, file);
    return sha256 === expected.sha256 ? undefined : `has SHA-256 ${sha256} instead of ${expected.sha256}`;
  }

  async #readBack(folder: string, file: string): Promise<string> {
    const { Body } = await this.#ask('read', folder, file, (at) => this.#client.send(new GetObjectCommand(at)));
    const hash = createHash('sha256');
    for await (const chunk of Body as Readable) hash.update(chunk as Buffer);
    return hash.digest('hex');
  }

  #encryption() {
    const { serverSideEncryption, kmsKeyId } = this.#settings;
    return {
      ...(serverSideEncryption ? { ServerSideEncryption: serverSideEncryption } : {}),
      ...(kmsKeyId ? { SSEKMSKeyId: kmsKeyId } : {}),
    };
  }

  #key(folder: string, file: string): string {
    return `${this.#root}/${folder}/${file}`;
  }

  async #list(prefix: string, delimiter?: string): Promise<ListObjectsV2CommandOutput[]> {
    const { bucket } = this.#settings;
    const input = { Bucket: bucket, Prefix: prefix, ...(delimiter ? { Delimiter: delimiter } : {}) };
    try {
      const pages: ListObjectsV2CommandOutput[] = [];
      for await (const page of paginateListObjectsV2({ client: this.#client }, input)) pages.push(page);
      return pages;
    } catch (error) {
      throw this.#explain(`list s3://${bucket}/${prefix}`, error);
    }
  }

  #explain(what: string, error: unknown): Error {
    this.#signal.throwIfAborted();
    const words = error instanceof Error ? [error.name, error.message].filter(Boolean).join(': ') : String(error);
    return new Error(`cannot ${what}: ${words}`, { cause: error });
  }

  async #ask<Answer>(
    what: 'read' | 'write' | 'remove',
    folder: string,
    file: string,
    ask: (at: { Bucket: string; Key: string }) => Promise<Answer>,
  ): Promise<Answer> {
    try {
      return await ask({ Bucket: this.#settings.bucket, Key: this.#key(folder, file) });
    } catch (error) {
      throw this.#explain(`${what} ${this.address(folder, file)}`, error);
    }
  }
}

interface Checksum {
  /** Of the whole, in hexadecimal digits. */
  sha256: string;
  /** As S3 tells it: of the whole, or of the checksums of its parts, with their number. */
  ofParts: string;
}

/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html */
async function checksumOf(path: string, size: number, partBytes: number): Promise<Checksum> {
  const whole = createHash('sha256');
  const parts: Buffer[] = [];
  for (let start = 0; start < size; start += partBytes) {
    const part = createHash('sha256');
    for await (const chunk of createReadStream(path, { start, end: Math.min(start + partBytes, size) - 1 })) {
      part.update(chunk as Buffer);
      whole.update(chunk as Buffer);
    }
    parts.push(part.digest());
  }
  const digest = whole.digest();
  const isOne = parts.length <= 1;
  const ofParts = isOne
    ? digest.toString('base64')
    : `${createHash('sha256').update(Buffer.concat(parts)).digest('base64')}-${parts.length}`;
  return { sha256: digest.toString('hex'), ofParts };
}

function isMissing(error: unknown): boolean {
  const { cause } = error as Error;
  return cause instanceof S3ServiceException && cause.$metadata.httpStatusCode === 404 && cause.name !== 'NoSuchBucket';
}
