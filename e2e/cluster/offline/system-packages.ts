import { existsSync, readFileSync } from 'node:fs';
import { chmod, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { withLock } from '../lock.ts';
import { cacheFolder } from '../paths.ts';
import { silent, type Progress } from '../progress.ts';

const policyFile = '/usr/sbin/policy-rc.d';
const policyMark = '# phase-migration: no service is started while its packages are installed';
const clusterConfiguration = '/etc/postgresql-common/createcluster.conf';

/**
 * Makes sure that Debian packages are installed; installs only those that are missing, and starts no service.
 *
 * @throws Error saying which command to run, where this process may not install packages or the machine is not Debian
 */
export async function ensureSystemPackages(names: string[], progress: Progress = silent): Promise<void> {
  if (!existsSync('/usr/bin/dpkg-query'))
    throw new Error(`This needs a Debian machine with the packages ${names.join(', ')}; dpkg was not found.`);
  if ((await missing(names)).length === 0 && !isOurPolicy()) return;
  await withLock(join(cacheFolder(), 'system-packages.lock'), progress, async () => {
    if (isOurPolicy()) await rm(policyFile);
    const wanted = await missing(names);
    if (wanted.length > 0) await install(wanted, progress);
  });
}

async function missing(names: string[]): Promise<string[]> {
  const query = ['-W', '-f', '${Package} ${db:Status-Status}\n', ...names];
  const { stdout } = await execa('dpkg-query', query, { reject: false });
  const installed = new Set(stdout.split('\n').filter((line) => line.endsWith(' installed')));
  return names.filter((name) => !installed.has(`${name} installed`));
}

async function install(names: string[], progress: Progress): Promise<void> {
  if (process.getuid?.() !== 0)
    throw new Error(`System packages are missing. Run as root: apt-get install ${names.join(' ')}`);
  progress(`installing Debian packages: ${names.join(' ')}`);
  const previousPolicy = existsSync(policyFile);
  if (!previousPolicy) {
    await writeFile(policyFile, `#!/bin/sh\n${policyMark}\nexit 101\n`);
    await chmod(policyFile, 0o755);
  }
  try {
    // Finishes what a killed installation left half-done; without it apt refuses to work.
    await run('dpkg', ['--configure', '-a', '--force-confold']);
    await run('apt-get', ['update']);
    if (names.some((name) => /^postgresql-\d+$/.test(name))) await preventDefaultCluster();
    await aptInstall(names);
  } finally {
    if (!previousPolicy) await rm(policyFile, { force: true });
  }
}

function isOurPolicy(): boolean {
  return existsSync(policyFile) && readFileSync(policyFile, 'utf8').includes(policyMark);
}

/** Debian's PostgreSQL packages make and, from the next boot on, run a cluster that nobody here asked for. */
async function preventDefaultCluster(): Promise<void> {
  if (existsSync(clusterConfiguration)) return;
  await aptInstall(['postgresql-common']);
  const text = await readFile(clusterConfiguration, 'utf8');
  await writeFile(clusterConfiguration, text.replace(/^#?create_main_cluster = .*$/m, 'create_main_cluster = false'));
}

function aptInstall(names: string[]): Promise<void> {
  return run('apt-get', ['install', '-y', '--no-install-recommends', '-o', 'DPkg::Lock::Timeout=300', ...names]);
}

async function run(command: string, args: string[]): Promise<void> {
  const result = await execa(command, args, {
    env: { DEBIAN_FRONTEND: 'noninteractive' },
    stdin: 'ignore',
    all: true,
    reject: false,
  });
  if (result.exitCode === 0) return;
  const end = (result.all ?? '').trimEnd().split('\n').slice(-10).join('\n');
  throw new Error(`Debian packages could not be installed: '${result.escapedCommand}' failed. Its last lines:\n${end}`);
}
