import { run } from '../../command.ts';

/**
 * Addresses inside the namespace only, out of the range reserved for tests between networks (RFC 2544). Two namespaces
 * may have the same: nothing connects them with each other or with the machine.
 */
const uplink = { device: 'uplink', prefix: '198.18.0.1/24' };

/**
 * What to put before a command to run it in the namespace. Not `ip netns exec`: that hides the control groups, and a
 * kubelet then finds no place for its pods.
 */
export const inNamespace = (name: string) => ['nsenter', `--net=/var/run/netns/${name}`, '--'];

/**
 * Makes a network namespace without any way out, or completes a half-made one. Its default route leads to a bridge
 * without ports: programs that look for the machine's address find one, and no packet ever leaves.
 */
export async function ensureNamespace(name: string): Promise<void> {
  if (!(await namespaceExists(name))) await run(['ip', 'netns', 'add', name]);
  const inside = (command: string[], allowFailure = false) => run([...inNamespace(name), ...command], { allowFailure });
  await inside(['ip', 'link', 'set', 'lo', 'up']);
  const present = await inside(['ip', 'link', 'show', uplink.device], true);
  if (present.code !== 0) await inside(['ip', 'link', 'add', uplink.device, 'type', 'bridge']);
  await inside(['ip', 'address', 'replace', uplink.prefix, 'dev', uplink.device]);
  await inside(['ip', 'link', 'set', uplink.device, 'up']);
  await inside(['ip', 'route', 'replace', 'default', 'dev', uplink.device]);
  await inside(['sysctl', '--quiet', '--write', 'net.ipv4.ip_forward=1']);
}

/** Whether the namespace is there and usable; after a restart of the machine only an empty file may be left. */
export async function namespaceExists(name: string): Promise<boolean> {
  if ((await run([...inNamespace(name), 'true'], { allowFailure: true })).code === 0) return true;
  await run(['ip', 'netns', 'delete', name], { allowFailure: true });
  return false;
}

/** Ids of the processes that are in the namespace. */
export async function processesIn(name: string): Promise<number[]> {
  const { stdout } = await run(['ip', 'netns', 'pids', name], { allowFailure: true });
  return stdout.split('\n').filter(Boolean).map(Number);
}

export async function deleteNamespace(name: string): Promise<void> {
  if (await namespaceExists(name)) await run(['ip', 'netns', 'delete', name]);
}
