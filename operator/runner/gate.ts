import { createServer, type Server, type ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '../kube/message-of.ts';

/** A held request is answered after this at the latest, so that a client behind a proxy is never cut off. */
const HOLD_MS = 20_000;

/**
 * The gate that verification Jobs wait at: `GET /released` is answered 200 as soon as they may begin, and with 503 after
 * a while in which they may not. `GET /healthz` tells the kubelet that the process is not hung. Nothing else is served,
 * nothing of the run is told.
 */
export class Gate {
  #released = false;
  #waiting = new Set<(released: boolean) => void>();
  #server: Server | undefined;

  /** Lets everybody through, or nobody from now on. */
  set released(value: boolean) {
    this.#released = value;
    if (value) for (const answer of [...this.#waiting]) answer(true);
  }

  /** @returns the port that it listens on (another one than asked for only when 0 was asked for) */
  async listen(port: number): Promise<number> {
    const server = createServer((request, response) => {
      if (request.method === 'GET' && request.url === '/healthz') {
        response.writeHead(200, { 'content-type': 'text/plain' }).end('ok\n');
        return;
      }
      if (request.method !== 'GET' || request.url !== '/released') {
        response.writeHead(404).end();
        return;
      }
      this.#hold(response);
    });
    this.#server = server;
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, resolve));
    const address = server.address();
    return typeof address === 'object' && address ? address.port : port;
  }

  #hold(response: ServerResponse): void {
    const answer = (released: boolean) => {
      clearTimeout(timer);
      this.#waiting.delete(answer);
      response.writeHead(released ? 200 : 503).end(released ? 'released\n' : 'not yet\n');
    };
    const timer = setTimeout(() => answer(this.#released), HOLD_MS);
    this.#waiting.add(answer);
    response.on('close', () => {
      clearTimeout(timer);
      this.#waiting.delete(answer);
    });
    if (this.#released) answer(true);
  }

  async close(): Promise<void> {
    const server = this.#server;
    if (!server) return;
    server.closeAllConnections();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }
}

const RETRY_MS = 200;

/**
 * Waits at a runner's gate.
 *
 * @throws Error naming the last answer when it was not opened in time
 */
export async function waitAtGate(url: string, timeoutMs: number): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  let last = 'no answer yet';
  while (Date.now() < deadline) {
    try {
      const response = await fetch(url, {
        signal: AbortSignal.timeout(Math.min(HOLD_MS + 5000, deadline - Date.now())),
      });
      if (response.status === 200) return;
      last = `status ${response.status}`;
    } catch (error) {
      last = messageOf(error);
      await delay(RETRY_MS);
    }
  }
  throw new Error(`the runner did not open its gate ${url} within ${timeoutMs / 1000} s (${last})`);
}
