import { spawn } from 'node:child_process';
import { copyFile, mkdir, open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { failure, run } from '../../command.ts';
import type { Engine } from '../../engine.ts';
import type { Identity } from '../../identity.ts';
import type { Progress } from '../../progress.ts';
import { mayExceedResourceLimits } from '../capabilities.ts';
import { ensureSystemPackages } from '../system-packages.ts';
import { endProcess, engineProcesses } from './processes.ts';
import { deleteNamespace, ensureNamespace, inNamespace, namespaceExists } from './network.ts';

const startTimeoutMs = 60_000;

const socketOf = (identity: Identity) => join(identity.runFolder, 'docker.sock');
const pidFileOf = (identity: Identity) => join(identity.runFolder, 'docker.pid');
const dataOf = (identity: Identity) => join(identity.stateFolder, 'docker');

function engineOf(identity: Identity): Engine {
  const env = { DOCKER_HOST: `unix://${socketOf(identity)}`, DOCKER_CONTEXT: '' };
  return { nsenterPrefix: inNamespace(identity.name), env, isOwn: true };
}

/** The clone's own engine when it runs; undefined otherwise. */
export async function runningEngine(identity: Identity): Promise<Engine | undefined> {
  const engine = engineOf(identity);
  return (await answers(engine)) ? engine : undefined;
}

/**
 * Starts Debian's Docker engine in a network namespace of its own, or finds it running. It goes on after this command
 * ends; `stopEngine` ends it. What a killed one has left (process id, namespace, containers) is taken over.
 */
export async function startEngine(identity: Identity, progress: Progress): Promise<Engine> {
  const running = await runningEngine(identity);
  if (running) return running;
  if (process.getuid?.() !== 0)
    throw new Error('There is no Docker engine, and only root can start one. Start Docker or run this as root.');
  await ensureSystemPackages(['docker.io', 'iptables', 'iproute2', 'procps', 'util-linux'], progress);
  progress('starting a Docker engine in a network namespace of its own');
  await ensureNamespace(identity.name);
  await endDaemon(identity);
  await mkdir(identity.runFolder, { recursive: true, mode: 0o700 });
  await mkdir(dataOf(identity), { recursive: true });
  const engine = engineOf(identity);
  const logFile = join(identity.stateFolder, 'docker.log');
  const hasEnded = await spawnDaemon([...engine.nsenterPrefix, 'dockerd', ...(await daemonFlags(identity))], logFile);
  const deadline = Date.now() + startTimeoutMs;
  while (!(await answers(engine))) {
    if (hasEnded() || Date.now() > deadline)
      throw new Error(failure(['dockerd'], hasEnded() ? 1 : 0, await readFile(logFile, 'utf8')));
    await delay(100);
  }
  return engine;
}

/** Ends the engine with all its containers and removes its namespace. Images it has loaded stay for the next time. */
export async function stopEngine(identity: Identity): Promise<void> {
  await endDaemon(identity);
  await deleteNamespace(identity.name);
}

/** Whether anything of the engine is there. */
export async function hasRemains(identity: Identity): Promise<boolean> {
  return (await daemonPid(identity)) !== undefined || (await namespaceExists(identity.name));
}

async function daemonFlags(identity: Identity): Promise<string[]> {
  const { runFolder, stateFolder } = identity;
  const flags = [
    `--host=unix://${socketOf(identity)}`,
    `--data-root=${dataOf(identity)}`,
    `--exec-root=${join(runFolder, 'exec')}`,
    `--pidfile=${pidFileOf(identity)}`,
    // kind makes a network of its own.
    '--bridge=none',
    // Not the machine's name servers, which cannot be reached: a name outside the cluster then fails at once.
    '--dns=127.0.0.1',
    '--log-level=warn',
  ];
  if (await mayExceedResourceLimits()) return flags;
  const runtime = join(stateFolder, 'runtime-within-limits.sh');
  await copyFile(join(import.meta.dirname, 'runtime-within-limits.sh'), runtime);
  return [...flags, `--add-runtime=within-limits=${runtime}`, '--default-runtime=within-limits'];
}

async function spawnDaemon(command: string[], logFile: string): Promise<() => boolean> {
  const log = await open(logFile, 'w');
  const [program, ...args] = command as [string, ...string[]];
  const child = spawn(program, args, { detached: true, stdio: ['ignore', log.fd, log.fd] });
  await new Promise<void>((resolve, reject) => child.once('spawn', resolve).once('error', reject));
  await log.close();
  child.unref();
  return () => child.exitCode !== null || child.signalCode !== null;
}

async function answers(engine: Engine): Promise<boolean> {
  const question = ['docker', 'version', '--format', '{{.Server.Version}}'];
  return (await run(question, { env: engine.env, allowFailure: true })).code === 0;
}

/** The running daemon; not whatever else got its process id after a crash or a restart of the machine. */
async function daemonPid(identity: Identity): Promise<number | undefined> {
  const pid = Number(await readFile(pidFileOf(identity), 'utf8').catch(() => ''));
  if (!pid) return undefined;
  const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  return command.includes(`--pidfile=${pidFileOf(identity)}`) ? pid : undefined;
}

/** Ends the daemon in order where it runs; where it was killed, ends and removes what it has left. */
async function endDaemon(identity: Identity): Promise<void> {
  const pid = await daemonPid(identity);
  if (pid !== undefined) await endProcess(pid, 'SIGTERM');
  // A new daemon does not get on with the containerd and the containers of one that was killed.
  for (const left of await engineProcesses(identity.name)) await endProcess(left, 'SIGKILL');
  for (const folder of [identity.runFolder, dataOf(identity)]) await unmountBelow(folder);
  await rm(identity.runFolder, { recursive: true, force: true });
}

/** What a daemon that was killed leaves mounted; its folders could not be removed otherwise. */
async function unmountBelow(folder: string): Promise<void> {
  const mounts = (await readFile('/proc/self/mounts', 'utf8')).split('\n').map((line) => line.split(' ')[1] ?? '');
  for (const mount of mounts.filter((path) => path === folder || path.startsWith(`${folder}/`)).reverse())
    await run(['umount', '--lazy', mount], { allowFailure: true });
}
