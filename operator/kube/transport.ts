import http from 'node:http';
import https from 'node:https';
import type { Authorization, Credentials } from './credentials.ts';
import { ApiError, ConnectionError } from './errors.ts';

/** One HTTP request to the API server. */
export interface HttpRequest {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Absolute path, without query. */
  path: string;
  query?: Record<string, string | number | boolean | undefined>;
  /** Sent as JSON. */
  body?: unknown;
  contentType?: string;
  /** `application/json` when left out. */
  accept?: string;
  /** Ends the request early; its reason is what the call then throws. */
  signal?: AbortSignal;
  /** For the whole request; for a stream, until its headers have come. */
  timeoutMilliseconds: number;
}

/** A whole answer. */
export interface HttpAnswer {
  code: number;
  headers: http.IncomingHttpHeaders;
  text: string;
}

/**
 * HTTP/1.1 over one pool of kept-alive connections. Never retries. Every failure below HTTP becomes a
 * {@link ConnectionError} with a sentence; an abort by the caller throws the signal's reason.
 */
export class Transport {
  readonly #credentials: () => Promise<Credentials>;
  readonly #userAgent: string;
  readonly #plain: http.Agent;
  readonly #secure: https.Agent;

  constructor(credentials: () => Promise<Credentials>, userAgent: string) {
    this.#credentials = credentials;
    this.#userAgent = userAgent;
    // An idle connection is closed after 30 s, before the API server (90 s) or a load balancer (60 s) closes it under a
    // request that has just been sent on it.
    const pool = { keepAlive: true, timeout: 30_000, scheduling: 'lifo' as const };
    this.#plain = new http.Agent(pool);
    this.#secure = new https.Agent(pool);
  }

  /** Sends a request and reads the whole answer, whatever its status code. */
  async request(request: HttpRequest): Promise<HttpAnswer> {
    const deadline = startDeadline(request.timeoutMilliseconds, request.signal);
    try {
      const response = await this.#send(request, deadline.signal);
      return { code: response.statusCode ?? 0, headers: response.headers, text: await readText(response) };
    } catch (error) {
      throw await this.#explain(error, request, deadline);
    } finally {
      deadline.clear();
    }
  }

  /**
   * Sends a request and returns the answer as soon as its headers are there. Whoever iterates the body must destroy it
   * and passes what the body throws to {@link explainStream}. `request.signal` ends the body too.
   */
  async open(request: HttpRequest): Promise<http.IncomingMessage> {
    const deadline = startDeadline(request.timeoutMilliseconds, request.signal);
    try {
      const response = await this.#send(request, deadline.signal);
      const end = (): void => void response.destroy();
      request.signal?.addEventListener('abort', end, { once: true });
      response.once('close', () => request.signal?.removeEventListener('abort', end));
      if (request.signal?.aborted === true) end();
      return response;
    } catch (error) {
      throw await this.#explain(error, request, deadline);
    } finally {
      deadline.clear();
    }
  }

  /** The server's address, for sentences and metrics. */
  async host(): Promise<string> {
    return (await this.#credentials()).server.host;
  }

  /** Namespace of the pod or of the kubeconfig's context. */
  async namespace(): Promise<string> {
    return (await this.#credentials()).namespace;
  }

  /** Closes the idle connections. */
  close(): void {
    this.#plain.destroy();
    this.#secure.destroy();
  }

  async #send(request: HttpRequest, signal: AbortSignal): Promise<http.IncomingMessage> {
    const credentials = await this.#credentials();
    const authorization = await credentials.authorize();
    signal.throwIfAborted();
    const body = request.body === undefined ? undefined : Buffer.from(JSON.stringify(request.body));
    const outgoing = this.#outgoing(credentials.server, authorization, request);
    return new Promise((resolve, reject) => {
      const sent = outgoing(signal, body);
      sent.once('response', resolve);
      sent.once('error', reject);
      sent.end(body);
    });
  }

  #outgoing(server: URL, authorization: Authorization, request: HttpRequest) {
    const secure = server.protocol === 'https:';
    const url = new URL(server.pathname.replace(/\/$/, '') + request.path, server);
    for (const [name, value] of Object.entries(request.query ?? {})) {
      if (value !== undefined) url.searchParams.set(name, String(value));
    }
    const agent = authorization.agent ?? (secure ? this.#secure : this.#plain);
    return (signal: AbortSignal, body: Buffer | undefined): http.ClientRequest => {
      const content = body && {
        'content-type': request.contentType ?? 'application/json',
        'content-length': body.length,
      };
      const headers = {
        ...authorization.headers,
        ...content,
        accept: request.accept ?? 'application/json',
        'user-agent': this.#userAgent,
      };
      const options = { ...authorization.tls, method: request.method, headers, agent, signal };
      return secure ? https.request(url, options) : http.request(url, options);
    };
  }

  async #explain(error: unknown, request: HttpRequest, deadline: Deadline): Promise<unknown> {
    if (error instanceof ApiError) return error;
    if (request.signal?.aborted === true) return request.signal.reason;
    // Reading the kubeconfig or the token failed: that has a sentence of its own and nothing to do with the network.
    const server = await this.#credentials().then(
      (credentials) => credentials.server.origin,
      () => undefined,
    );
    if (server === undefined) return new ConnectionError(`Cannot reach any API server. ${sentence(error)}`, error);
    const what = `${request.method} ${request.path}`;
    if (deadline.expired()) {
      const seconds = request.timeoutMilliseconds / 1000;
      return new ConnectionError(`The API server ${server} did not answer ${what} within ${seconds} s.`, error);
    }
    return new ConnectionError(`${what} got no answer from the API server ${server}: ${sentence(error)}`, error);
  }
}

/** Turns what iterating a stream's body threw into a {@link ConnectionError}. */
export function explainStream(error: unknown, what: string): unknown {
  if (error instanceof ApiError) return error;
  return new ConnectionError(`${what} was cut off: ${sentence(error)}`, error);
}

const sentences: Partial<Record<string, string>> = {
  ECONNREFUSED: 'the connection was refused, so nothing listens there (is the API server starting?).',
  ECONNRESET: 'the connection was cut.',
  EPIPE: 'the connection was cut.',
  ENOTFOUND: 'its host name does not resolve.',
  EAI_AGAIN: 'the name server did not answer.',
  ETIMEDOUT: 'the connection timed out.',
  EHOSTUNREACH: 'there is no route to it.',
  ENETUNREACH: 'there is no route to it.',
  ENOENT: 'a file named by its credentials does not exist.',
};

function sentence(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code, path } = error as NodeJS.ErrnoException;
  const known = code === undefined ? undefined : sentences[code];
  if (known === undefined) return error.message.endsWith('.') ? error.message : `${error.message}.`;
  return path === undefined ? known : `${known} (${path})`;
}

async function readText(response: http.IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

interface Deadline {
  signal: AbortSignal;
  expired(): boolean;
  clear(): void;
}

/**
 * AbortSignal.any() would do, but keeps every derived signal reachable from a signal that lives as long as the
 * process; this one leaves nothing behind.
 */
function startDeadline(milliseconds: number, outer: AbortSignal | undefined): Deadline {
  const controller = new AbortController();
  let expired = false;
  const forward = (): void => controller.abort(outer?.reason);
  const timer = setTimeout(() => {
    expired = true;
    controller.abort(new Error('timed out'));
  }, milliseconds);
  if (outer?.aborted === true) forward();
  outer?.addEventListener('abort', forward, { once: true });
  return {
    signal: controller.signal,
    expired: () => expired,
    clear: () => {
      clearTimeout(timer);
      outer?.removeEventListener('abort', forward);
    },
  };
}
