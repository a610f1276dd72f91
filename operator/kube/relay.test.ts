/** A network between client and API server that a test can break; it has no tests of its own. */
import { readFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import type { ControlPlane } from '../../e2e/cluster/control-plane.ts';
import { KubeClient, type ClientOptions } from './client.ts';

export interface Relay {
  /** How many connections there have been. */
  connections(): number;
  /** Nothing passes any more, in either direction, and nobody is told: as when a node vanishes. */
  freeze(): void;
  /** Whatever was held back passes. */
  thaw(): void;
  /** Resets every connection; new ones are accepted. */
  cut(): void;
  close(): Promise<void>;
  /** A client that reaches the API server by this way. */
  client(options?: ClientOptions): KubeClient;
}

/** Passes bytes through to a control plane. */
export async function startRelay(plane: ControlPlane): Promise<Relay> {
  const target = new URL(plane.url);
  const sockets = new Set<Socket>();
  let count = 0;
  let frozen = false;
  const server = createServer((near) => {
    count += 1;
    const far = connect(Number(target.port), target.hostname);
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket);
      if (frozen) socket.pause();
      socket.on('data', (chunk) => other.write(chunk));
      if (frozen) socket.pause();
      socket.on('error', () => other.destroy());
      socket.on('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const each = (act: (socket: Socket) => void): void => [...sockets].forEach(act);
  const ca = readFileSync(plane.certificateAuthority, 'utf8');
  const headers = { authorization: `Bearer ${plane.adminToken}` };
  const credentials = {
    namespace: 'default',
    server: new URL(`https://127.0.0.1:${port}`),
    authorize: () => Promise.resolve({ headers, tls: { ca } }),
  };
  return {
    connections: () => count,
    freeze: () => {
      frozen = true;
      each((socket) => socket.pause());
    },
    thaw: () => {
      frozen = false;
      each((socket) => socket.resume());
    },
    cut: () => each((socket) => socket.resetAndDestroy()),
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      each((socket) => socket.destroy());
      await closed;
    },
    client: (options) => new KubeClient(() => Promise.resolve(credentials), options),
  };
}
