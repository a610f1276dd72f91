import { readdir, readFile } from 'node:fs/promises';

/** What a process takes, in megabytes of 10⁶ bytes. */
export interface Memory {
  residentMegabytes: number;
  peakMegabytes: number;
}

/**
 * The memory of a pod's Node process, as the kernel counts it. The cluster's node must run on this machine, where every
 * process of its pods can be seen.
 *
 * @throws Error when no such process is here
 */
export async function memoryOfPod(pod: string): Promise<Memory> {
  for (const id of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const environment = await readFile(`/proc/${id}/environ`, 'utf8').catch(() => '');
    if (environment.split('\0').includes(`POD_NAME=${pod}`))
      return memoryIn(await readFile(`/proc/${id}/status`, 'utf8'));
  }
  throw new Error(`No process of pod ${pod} is on this machine: memory is measured on clusters whose node is here.`);
}

/** Reads a process's status file (man 5 proc): lines such as `VmRSS:     52340 kB`. */
export function memoryIn(status: string): Memory {
  const megabytes = (field: string) => {
    const kilobytes = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1];
    if (!kilobytes) throw new Error(`The status of the process has no ${field}.`);
    return Math.round((Number(kilobytes) * 1024) / 1e6);
  };
  return { residentMegabytes: megabytes('VmRSS'), peakMegabytes: megabytes('VmHWM') };
}
