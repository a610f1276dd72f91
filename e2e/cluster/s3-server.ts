import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { ensurePrograms } from './offline/go-build.ts';
import { freePort } from './ports.ts';
import { silent, type Progress } from './progress.ts';
import { startService } from './service.ts';
import { makeThrowawayFolder, removeThrowawayFolder } from './throwaway.ts';

/** An S3 server of its own for one test (MinIO), on loopback. */
export interface S3Server {
  readonly endpoint: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Stops the server and removes its data. */
  stop(): Promise<void>;
}

const START_TIMEOUT_MS = 60_000;

/**
 * Starts a throw-away MinIO, which encrypts on request (SSE-S3) with a key of its own.
 *
 * @throws Error with the end of the server's log when it does not start
 */
export async function startS3Server(progress: Progress = silent): Promise<S3Server> {
  const { minio } = await ensurePrograms(['minio'], progress);
  const folder = await makeThrowawayFolder('minio');
  const port = await freePort();
  const endpoint = `http://127.0.0.1:${port}`;
  const accessKeyId = 'tester';
  const secretAccessKey = randomBytes(16).toString('hex');
  const service = await startService({
    name: 'MinIO',
    command: minio,
    args: ['server', join(folder, 'data'), '--address', `127.0.0.1:${port}`, '--console-address', '127.0.0.1:0'],
    logFile: join(folder, 'log'),
    env: {
      MINIO_ROOT_USER: accessKeyId,
      MINIO_ROOT_PASSWORD: secretAccessKey,
      MINIO_KMS_SECRET_KEY: `tests:${randomBytes(32).toString('base64')}`,
      MINIO_BROWSER: 'off',
      MINIO_UPDATE: 'off',
      HOME: folder,
    },
    onOwnerDeath: 'KILL',
  });
  await service.waitUntil(
    async () => (await fetch(`${endpoint}/minio/health/ready`).catch(() => undefined))?.ok === true,
    START_TIMEOUT_MS,
  );
  return {
    endpoint,
    accessKeyId,
    secretAccessKey,
    stop: async () => {
      await service.stop('SIGTERM');
      await removeThrowawayFolder(folder);
    },
  };
}
