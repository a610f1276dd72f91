#!/usr/bin/env node
/**
 * Entry of every npm script: `node setup/run.mjs FILE.ts [arguments]`.
 *
 * Installs the locked dependencies when they are missing, out of date or half-installed, then runs FILE.ts with the
 * Node.js that the project itself pins (the npm package `node`), because the client library does not load on the
 * Node 20 that Debian 12 machines have. Plain JavaScript without dependencies: it is what runs before there are any.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const modules = join(root, 'node_modules');
const pinnedNode = join(modules, '.bin', 'node');
const stamp = join(modules, '.phase-migration-installed');

const [entry, ...args] = process.argv.slice(2);
if (!entry) {
  console.error('Usage: node setup/run.mjs FILE.ts [arguments]. Use one of the npm scripts: npm run demo, npm test.');
  process.exit(2);
}

installDependencies();
runPinned();

function lockHash() {
  return createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .update(process.arch)
    .digest('hex');
}

function installDependencies() {
  const wanted = lockHash();
  if (isInstalled(wanted)) return;
  const lock = join(root, '.npm-install.lock');
  takeLock(lock);
  try {
    if (isInstalled(wanted)) return;
    console.error('Installing the locked npm packages (once per clone) …');
    const result = spawnSync('npm', ['ci', '--no-fund', '--no-audit', '--loglevel=error'], {
      cwd: root,
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    if (result.error || result.status !== 0) {
      const why = result.error ? result.error.message : `npm ci ended with exit code ${result.status}`;
      console.error(`The npm packages could not be installed: ${why}. Check the network and run the command again.`);
      process.exitCode = 1;
      rmSync(lock, { recursive: true, force: true });
      process.exit(1);
    }
    writeFileSync(stamp, wanted);
  } finally {
    rmSync(lock, { recursive: true, force: true });
  }
}

function isInstalled(wanted) {
  return existsSync(pinnedNode) && existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted;
}

/** A lock folder holding its owner's process id, so that two commands started together install once. */
function takeLock(lock) {
  for (;;) {
    try {
      mkdirSync(lock);
      writeFileSync(join(lock, 'pid'), String(process.pid));
      return;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    if (ownerIsGone(lock)) rmSync(lock, { recursive: true, force: true });
    else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
  }
}

function ownerIsGone(lock) {
  let pid;
  try {
    pid = Number(readFileSync(join(lock, 'pid'), 'utf8'));
  } catch {
    // Between mkdir and writing the id, or the lock was just released: only an old folder without an id is debris.
    const made = statSync(lock, { throwIfNoEntry: false });
    return made !== undefined && Date.now() - made.mtimeMs > 10_000;
  }
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return error.code === 'ESRCH';
  }
}

function runPinned() {
  const child = spawn(pinnedNode, ['--disable-warning=ExperimentalWarning', resolve(root, entry), ...args], {
    stdio: 'inherit',
    env: { ...process.env, PATH: `${join(modules, '.bin')}:${process.env.PATH}` },
  });
  // The terminal sends Ctrl-C to the whole process group; the child decides how to end, this process waits for it.
  process.on('SIGINT', () => {});
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    console.error(`Could not start ${pinnedNode}: ${error.message}. Remove node_modules and run the command again.`);
    process.exit(1);
  });
  child.on('exit', (code, signal) => process.exit(signal ? 128 + constants.signals[signal] : (code ?? 1)));
}
