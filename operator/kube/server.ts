import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Registry } from 'prom-client';
import type { Logger } from './logger.ts';
import { messageOf } from './message-of.ts';

/** True if all is well; false, a sentence that says what is not, or a rejection if not. */
export type HealthCheck = () => boolean | string | Promise<boolean | string>;

export interface ServerOptions {
  /** 0 picks a free one. */
  port: number;
  /** Address to listen on; default all. */
  host?: string;
  /** By name, for /healthz: a failing one has the kubelet restart the container, so none should look at others' health. */
  healthChecks?: Record<string, HealthCheck>;
  /** By name, for /readyz. */
  readyChecks?: Record<string, HealthCheck>;
  /** For /metrics; without it there are none. */
  registry?: Registry;
  logger: Logger;
}

export interface HealthServer {
  port: number;
  close(): Promise<void>;
}

/** A check that takes longer than the kubelet waits has failed. */
const checkMilliseconds = 800;

/**
 * Serves /healthz, /readyz (200 `ok` or 503, a line for each check as kube-apiserver writes them) and /metrics in
 * Prometheus's text format. Resolves when it listens; rejects with a sentence when the port is taken.
 */
export async function startServer(options: ServerOptions): Promise<HealthServer> {
  const { port, host, registry, logger } = options;
  const routes: Record<string, (response: ServerResponse) => Promise<void>> = {
    '/healthz': (response) => answerChecks(response, options.healthChecks ?? {}),
    '/readyz': (response) => answerChecks(response, options.readyChecks ?? {}),
    ...(registry && { '/metrics': (response: ServerResponse) => answerMetrics(response, registry) }),
  };
  const server = createServer((request, response) => {
    const route = routes[new URL(request.url ?? '/', 'http://localhost').pathname];
    if (route === undefined) return send(response, 404, 'not found\n');
    if (request.method !== 'GET' && request.method !== 'HEAD') return send(response, 405, 'only GET\n');
    route(response).catch((error: unknown) => {
      logger.error(`Answering ${request.url} failed: ${messageOf(error)}`);
      send(response, 500, 'internal error\n');
    });
  });
  server.headersTimeout = 5_000;
  server.requestTimeout = 5_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(new Error(`Cannot serve health and metrics on port ${port}: ${error.message}`, { cause: error })),
    );
    server.listen({ port, host }, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answerChecks(response: ServerResponse, checks: Record<string, HealthCheck>): Promise<void> {
  const results = await Promise.all(
    Object.entries(checks).map(async ([name, check]) => ({ name, problem: await problemOf(check) })),
  );
  const healthy = results.every(({ problem }) => problem === undefined);
  const lines = results.map(({ name, problem }) =>
    problem === undefined ? `[+]${name} ok` : `[-]${name} failed: ${problem}`,
  );
  send(response, healthy ? 200 : 503, [...lines, healthy ? 'ok' : 'not ok', ''].join('\n'));
}

async function problemOf(check: HealthCheck): Promise<string | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve('took too long'), checkMilliseconds);
  });
  try {
    const answer = await Promise.race([Promise.resolve().then(check), late]);
    if (answer === true) return undefined;
    return answer === false ? 'not yet' : answer;
  } catch (error) {
    return messageOf(error);
  } finally {
    clearTimeout(timer);
  }
}

async function answerMetrics(response: ServerResponse, registry: Registry): Promise<void> {
  send(response, 200, await registry.metrics(), registry.contentType);
}

function send(response: ServerResponse, code: number, text: string, contentType = 'text/plain; charset=utf-8'): void {
  if (response.headersSent) return;
  response.writeHead(code, { 'content-type': contentType, 'cache-control': 'no-store' });
  response.end(text);
}
