import { readFile, readdir } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { isRunning } from '../../throwaway.ts';
import { processesIn } from './network.ts';

const engineProgram = /^(dockerd|docker-proxy|containerd|containerd-shim)/;
const endTimeoutMs = 60_000;

/** A process as /proc/PID/stat describes it. */
export interface ProcessStat {
  pid: number;
  parent: number;
  /** Name of its program, at most 15 characters of it. */
  program: string;
}

/**
 * The processes of an engine in the namespace with all their descendants: the containers, whose own network namespaces
 * are others. Commands that people run in the namespace are not among them.
 */
export async function engineProcesses(namespace: string): Promise<number[]> {
  const inside = new Set(await processesIn(namespace));
  const all = await allProcesses();
  const roots = all.filter(({ pid, program }) => inside.has(pid) && engineProgram.test(program));
  return withDescendants(
    roots.map(({ pid }) => pid),
    all,
  );
}

/** The given processes and all that descend from them. */
export function withDescendants(roots: number[], all: ProcessStat[]): number[] {
  const found = new Set(roots);
  for (const pid of found) for (const child of all) if (child.parent === pid) found.add(child.pid);
  return [...found];
}

/** Reads one line of /proc/PID/stat; the program's name is in parentheses and may hold any character. */
export function parseStat(line: string): ProcessStat | undefined {
  const match = /^(\d+) \((.*)\) \S (\d+) /s.exec(line);
  return match ? { pid: Number(match[1]), program: match[2]!, parent: Number(match[3]) } : undefined;
}

/**
 * Sends the signal and waits until the process is gone.
 *
 * @throws Error saying what to do when it does not end within a minute
 */
export async function endProcess(pid: number, signal: NodeJS.Signals): Promise<void> {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
  const deadline = Date.now() + endTimeoutMs;
  while (isRunning(pid)) {
    if (Date.now() > deadline)
      throw new Error(`Process ${pid} does not end on ${signal}. End it by hand with kill -9 ${pid}, then try again.`);
    await delay(25);
  }
}

async function allProcesses(): Promise<ProcessStat[]> {
  const ids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  // One that has ended since the folder was listed has no file any more.
  const lines = await Promise.all(ids.map((id) => readFile(`/proc/${id}/stat`, 'utf8').catch(() => '')));
  return lines.map(parseStat).filter((process) => process !== undefined);
}
