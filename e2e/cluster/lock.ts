import { spawn } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Progress } from './progress.ts';

/**
 * Runs `work` while holding the named lock file, so that two commands started together prepare a thing once.
 *
 * The kernel holds the lock (flock) for a helper whose input is a pipe from this process: however this process ends,
 * the pipe closes, the helper ends and the lock is free. There is no stale lock to recognise. The file keeps the
 * owner's process id, for people. Not re-entrant: `work` must not ask for the same lock.
 */
export async function withLock<T>(file: string, progress: Progress, work: () => Promise<T>): Promise<T> {
  await mkdir(dirname(file), { recursive: true });
  const holder = spawn('flock', [file, 'sh', '-c', 'echo held; exec cat'], {
    stdio: ['pipe', 'pipe', 'inherit'],
    // Ctrl-C reaches every process of the terminal's group; the lock must stay held until `work` has ended.
    detached: true,
  });
  const ended = new Promise<void>((resolve, reject) => holder.once('close', resolve).once('error', reject));
  const held = new Promise<void>((resolve) => holder.stdout.once('data', () => resolve()));
  const notice = setTimeout(() => void announceWait(file, progress), 1000);
  try {
    await Promise.race([held, ended.then(() => Promise.reject(new Error(`The lock ${file} could not be taken.`)))]);
  } finally {
    clearTimeout(notice);
  }
  try {
    await writeFile(file, String(process.pid));
    return await work();
  } finally {
    holder.stdin.end();
    await ended;
  }
}

async function announceWait(file: string, progress: Progress): Promise<void> {
  const owner = await readFile(file, 'utf8').catch(() => '');
  progress(`waiting for process ${owner || 'unknown'}, which is preparing the same thing`);
}
