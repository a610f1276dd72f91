import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Agent, fetch } from 'undici';
import type { Cluster } from '../cluster/provider.ts';
import { startService } from '../cluster/service.ts';
import { makeThrowawayFolder } from '../cluster/throwaway.ts';

/** The part of any Kubernetes object that tests look at. */
export interface Thing {
  apiVersion?: string;
  kind?: string;
  metadata: {
    name: string;
    namespace?: string;
    uid?: string;
    generation?: number;
    resourceVersion?: string;
    deletionTimestamp?: string;
    finalizers?: string[];
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
  };
}

/** Which objects: `path` is that of the list, for instance `/api/v1/namespaces/a/pods`. */
export interface Selection {
  path: string;
  labelSelector?: string;
  fieldSelector?: string;
}

export interface Answer {
  status: number;
  text: string;
}

/**
 * A cluster's API from here: through `kubectl proxy` on a socket in the file system, which works from outside the
 * cluster's network namespace too, and answers in milliseconds where a kubectl takes a tenth of a second.
 */
export interface Api {
  /** A request as it is; any status is an answer. */
  request(method: string, path: string, body?: unknown, contentType?: string): Promise<Answer>;
  /** Undefined when there is no such object; rejects on any other refusal. */
  get<T extends Thing>(path: string): Promise<T | undefined>;
  list<T extends Thing>(selection: Selection): Promise<T[]>;
  /** A JSON merge patch. */
  patch(path: string, body: unknown): Promise<void>;
  /** Every state of the objects, from the one now on, as it happens, until `signal`. */
  watch<T extends Thing>(selection: Selection, onState: (objects: T[]) => void, signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** Opens the way to a cluster's API; it ends with this process. */
export async function openApi(cluster: Cluster): Promise<Api> {
  const folder = await makeThrowawayFolder('api');
  const socketPath = join(folder, 'socket');
  const environment = Object.entries(cluster.env).map(([name, value]) => `${name}=${value}`);
  const proxy = await startService({
    name: 'kubectl proxy',
    command: 'env',
    args: [...environment, ...cluster.nsenterPrefix, 'kubectl', 'proxy', `--unix-socket=${socketPath}`],
    logFile: join(folder, 'log'),
    onOwnerDeath: 'KILL',
  });
  const dispatcher = new Agent({ connect: { socketPath }, headersTimeout: 60_000, bodyTimeout: 0 });
  const api = apiOf(dispatcher);
  await proxy.waitUntil(
    async () => (await api.request('GET', '/readyz').catch(() => undefined))?.status === 200,
    20_000,
  );
  return {
    ...api,
    close: async () => {
      await dispatcher.destroy();
      await proxy.stop('SIGTERM');
      await rm(folder, { recursive: true, force: true });
    },
  };
}

const address = (path: string) => `http://localhost${path}`;

function apiOf(dispatcher: Agent): Omit<Api, 'close'> {
  const request: Api['request'] = async (method, path, body, contentType = 'application/json') => {
    const payload = body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': contentType } };
    const response = await fetch(address(path), { method, dispatcher, ...payload });
    return { status: response.status, text: await response.text() };
  };
  const ask = async (method: string, path: string, body?: unknown, contentType?: string): Promise<unknown> => {
    const { status, text } = await request(method, path, body, contentType);
    if (status >= 300) throw new Error(`${method} ${path} was answered with ${status}: ${text.slice(0, 1000)}`);
    return JSON.parse(text);
  };
  return {
    request,
    get: async <T>(path: string) => {
      const { status, text } = await request('GET', path);
      if (status === 404) return undefined;
      if (status !== 200) throw new Error(`GET ${path} was answered with ${status}: ${text.slice(0, 1000)}`);
      return JSON.parse(text) as T;
    },
    list: async <T>(selection: Selection) => ((await ask('GET', listPath(selection))) as ListOf<T>).items,
    patch: async (path, body) => {
      await ask('PATCH', path, body, 'application/merge-patch+json');
    },
    watch: async (selection, onState, signal) => {
      while (!signal.aborted)
        await watchOnce({ dispatcher, selection, signal, onState, list: () => ask('GET', listPath(selection)) });
    },
  };
}

interface ListOf<T> {
  metadata: { resourceVersion: string };
  items: T[];
}

function listPath({ path, labelSelector, fieldSelector }: Selection, more: Record<string, string> = {}): string {
  const query = new URLSearchParams({
    ...(labelSelector ? { labelSelector } : {}),
    ...(fieldSelector ? { fieldSelector } : {}),
    ...more,
  });
  return `${path}?${query.toString()}`;
}

interface OneWatch<T> {
  dispatcher: Agent;
  selection: Selection;
  signal: AbortSignal;
  onState: (objects: T[]) => void;
  list: () => Promise<unknown>;
}

/** Lists, then watches from there until the server ends the watch or `signal` does. */
async function watchOnce<T extends Thing>(watch: OneWatch<T>): Promise<void> {
  const { dispatcher, selection, signal, onState } = watch;
  const { metadata, items } = (await watch.list()) as ListOf<T>;
  const objects = new Map(items.map((item) => [key(item), item]));
  onState([...objects.values()]);
  if (signal.aborted) return;
  const path = listPath(selection, { watch: '1', resourceVersion: metadata.resourceVersion });
  try {
    const response = await fetch(address(path), { dispatcher, signal });
    for await (const line of linesOf(response.body!)) {
      const { type, object } = JSON.parse(line) as { type: string; object: T };
      if (type === 'ERROR') return;
      if (type === 'DELETED') objects.delete(key(object));
      else objects.set(key(object), object);
      onState([...objects.values()]);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

const key = ({ metadata }: Thing) => `${metadata.namespace ?? ''}/${metadata.name}`;

async function* linesOf(body: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of body) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop()!;
    yield* lines.filter((line) => line !== '');
  }
}
