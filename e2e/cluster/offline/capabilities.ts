import { readFile } from 'node:fs/promises';

/** Bit of CAP_SYS_RESOURCE in linux/capability.h. */
const sysResource = 24n;

/**
 * Whether this process could hand CAP_SYS_RESOURCE on. Some virtual machines and containers lack it; there a container
 * that asks for every capability cannot start.
 */
export async function mayExceedResourceLimits(): Promise<boolean> {
  return hasCapability(await readFile('/proc/self/status', 'utf8'), sysResource);
}

/** Reads the bounding set out of the text of /proc/PID/status. */
export function hasCapability(status: string, bit: bigint): boolean {
  const set = /^CapBnd:\s*([0-9a-f]+)$/m.exec(status)?.[1];
  if (!set) throw new Error('The kernel does not say which capabilities this process may have (CapBnd).');
  return ((BigInt(`0x${set}`) >> bit) & 1n) === 1n;
}
