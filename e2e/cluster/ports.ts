import getPort, { portNumbers } from 'get-port';

/**
 * A port on which nobody listens at 127.0.0.1. It lies below the range from which the kernel picks ports for outgoing
 * connections, so that none of those can take it before the server does, and below the range of NodePorts.
 */
export function freePort(): Promise<number> {
  const first = 20_000 + Math.floor(Math.random() * 9_000);
  return getPort({ host: '127.0.0.1', port: portNumbers(first, first + 900) });
}
