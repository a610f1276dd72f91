import { setTimeout as delay } from 'node:timers/promises';
import { inClusterCredentials, type Credentials } from './credentials.ts';
import { defaultCredentials, kubeconfigCredentials } from './default-credentials.ts';
import { acceptOf, errorOf, errorOfStream, throttledFor, warningsOf, withReplicas } from './answers.ts';
import type {
  CallOptions,
  ClientOptions,
  DeleteOptions,
  ListOptions,
  LogOptions,
  PatchOptions,
  Selection,
  WatchOptions,
  WriteOptions,
} from './client-options.ts';
import { ConnectionError, isGone, isNotFound } from './errors.ts';
import { pathForCreate, pathOf } from './paths.ts';
import { Pod, type Scale } from './resource-types.ts';
import { Transport, type HttpAnswer, type HttpRequest } from './transport.ts';
import { apiVersionOf, keyOf, type KubeObject, type ObjectRef, type ResourceType, type WatchEvent } from './types.ts';
import { readWatch } from './watch-stream.ts';

export * from './client-options.ts';
export * from './errors.ts';

const patchContentTypes = {
  Merge: 'application/merge-patch+json',
  Json: 'application/json-patch+json',
  Apply: 'application/apply-patch+yaml',
  StrategicMerge: 'application/strategic-merge-patch+json',
};

const pageSize = 500;
const maxThrottledRetries = 4;
const maxThrottledMilliseconds = 20_000;

/**
 * A typed client for any resource. One pool of kept-alive connections; every request is limited in time; nothing is
 * retried except a request that the server itself turned away with 429 and Retry-After before looking at it. Throws
 * {@link ApiError} with the server's own sentence, or {@link ConnectionError} when there was no answer.
 */
export class KubeClient {
  readonly #transport: Transport;
  readonly #options: ClientOptions;

  constructor(credentials: () => Promise<Credentials>, options: ClientOptions = {}) {
    let loaded: Promise<Credentials> | undefined;
    this.#transport = new Transport(() => (loaded ??= credentials()), options.userAgent ?? 'phase-migration-operator');
    this.#options = options;
  }

  /** In a pod its ServiceAccount, unless KUBECONFIG is set; else KUBECONFIG's or ~/.kube/config's current context. */
  static fromDefault(options?: ClientOptions): KubeClient {
    return new KubeClient(defaultCredentials, options);
  }

  /** The pod's ServiceAccount. */
  static inCluster(options?: ClientOptions): KubeClient {
    return new KubeClient(() => Promise.resolve(inClusterCredentials()), options);
  }

  /** A context of a kubeconfig file; its current one if none is named. The file is read with the first request. */
  static fromKubeconfig(path: string, context?: string, options?: ClientOptions): KubeClient {
    return new KubeClient(() => kubeconfigCredentials(path, context), options);
  }

  /** Namespace of the pod or of the kubeconfig's context; `default` where neither names one. */
  defaultNamespace(): Promise<string> {
    return this.#transport.namespace();
  }

  /** One object as etcd has it (a quorum read), or undefined if it does not exist. */
  get(
    type: ResourceType<KubeObject>,
    ref: ObjectRef,
    options: CallOptions & { subresource: 'scale' },
  ): Promise<Scale | undefined>;
  get<T extends KubeObject>(type: ResourceType<T>, ref: ObjectRef, options?: CallOptions): Promise<T | undefined>;
  async get(
    type: ResourceType<KubeObject>,
    ref: ObjectRef,
    options: CallOptions & { subresource?: 'scale' } = {},
  ): Promise<KubeObject | undefined> {
    try {
      const path = pathOf(type, ref, options.subresource);
      return withReplicas(await this.#json<KubeObject>({ method: 'GET', path }, options));
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  /** All selected objects, read page by page at one resourceVersion (from which a watch can go on). */
  async list<T extends KubeObject>(
    type: ResourceType<T>,
    selection: Selection = {},
    options: ListOptions = {},
  ): Promise<{ items: T[]; resourceVersion: string }> {
    const items: T[] = [];
    const resourceVersion = await this.listPages(type, selection, (page) => items.push(...page), options);
    return { items, resourceVersion };
  }

  /**
   * Hands the selected objects over page by page, so that not all of them need be in memory at once. If the list's
   * snapshot expires half-way (410), it begins again and `onPage` sees some objects twice. Returns the resourceVersion.
   */
  async listPages<T extends KubeObject>(
    type: ResourceType<T>,
    selection: Selection,
    onPage: (items: T[]) => void,
    options: ListOptions = {},
  ): Promise<string> {
    let next: string | undefined;
    let limit: number | undefined = pageSize;
    for (;;) {
      const page: ListBody<T> | undefined = await this.#listPage(type, selection, { limit, continue: next }, options);
      if (page === undefined) {
        // The list takes longer than etcd keeps its snapshot: ask for everything at once instead of never ending.
        [next, limit] = [undefined, undefined];
        continue;
      }
      const apiVersion = apiVersionOf(type);
      // Items of a list carry neither apiVersion nor kind.
      onPage((page.items ?? []).map((item) => ({ ...item, apiVersion, kind: type.kind })));
      next = page.metadata.continue;
      if (!next) return page.metadata.resourceVersion ?? '';
    }
  }

  async create<T extends KubeObject>(type: ResourceType<T>, object: T, options: WriteOptions = {}): Promise<T> {
    const path = pathForCreate(type, object.metadata);
    return this.#json<T>(
      { method: 'POST', path, body: object, query: { fieldManager: options.fieldManager } },
      options,
    );
  }

  patch(
    type: ResourceType<KubeObject>,
    ref: ObjectRef,
    options: PatchOptions & { subresource: 'scale' },
  ): Promise<Scale>;
  patch<T extends KubeObject>(type: ResourceType<T>, ref: ObjectRef, options: PatchOptions): Promise<T>;
  async patch(type: ResourceType<KubeObject>, ref: ObjectRef, options: PatchOptions): Promise<KubeObject> {
    const { kind, body, subresource, fieldManager, force } = options;
    if (kind === 'Apply' && fieldManager === undefined) {
      throw new Error(`Server-side apply of ${type.kind} ${keyOf(ref)} needs a fieldManager.`);
    }
    const path = pathOf(type, ref, subresource);
    const contentType = patchContentTypes[kind];
    const query = { fieldManager, force: kind === 'Apply' ? force : undefined };
    return withReplicas(await this.#json<KubeObject>({ method: 'PATCH', path, body, contentType, query }, options));
  }

  /** Writes the whole object; metadata.resourceVersion makes it fail with a conflict if somebody was faster. */
  async replace<T extends KubeObject>(
    type: ResourceType<T>,
    object: T,
    options: WriteOptions & { subresource?: 'status' | 'scale' } = {},
  ): Promise<T> {
    const path = pathOf(type, object.metadata, options.subresource);
    return this.#json<T>({ method: 'PUT', path, body: object, query: { fieldManager: options.fieldManager } }, options);
  }

  /** Asks for the deletion of an object; that there is none is success. Finalizers may keep it for a while. */
  async delete(type: ResourceType<KubeObject>, ref: ObjectRef, options: DeleteOptions = {}): Promise<void> {
    const { propagationPolicy = 'Background', preconditions, gracePeriodSeconds } = options;
    const body = { apiVersion: 'v1', kind: 'DeleteOptions', propagationPolicy, preconditions, gracePeriodSeconds };
    try {
      await this.#json({ method: 'DELETE', path: pathOf(type, ref), body }, options);
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }

  /**
   * One watch: ends when the server ends it (after `timeoutSeconds`), throws {@link ApiError} 410 when
   * `resourceVersion` is too old and {@link ConnectionError} when the connection breaks. `startReflector` is what
   * keeps one going.
   */
  async *watch<T extends KubeObject>(
    type: ResourceType<T>,
    { namespace, ...query }: WatchOptions,
    signal: AbortSignal,
  ): AsyncGenerator<WatchEvent<T>, void, undefined> {
    const { allowBookmarks, ...rest } = query;
    const path = pathOf(type, { namespace });
    const response = await this.#observed('WATCH', async () => {
      const opened = await this.#transport.open({
        method: 'GET',
        path,
        query: { ...rest, watch: true, allowWatchBookmarks: allowBookmarks },
        accept: acceptOf(type, 'Watch'),
        signal,
        timeoutMilliseconds: this.#timeout(),
      });
      return { code: opened.statusCode ?? 0, headers: opened.headers, opened };
    });
    if (response.code !== 200) throw await errorOfStream(response.opened);
    try {
      yield* readWatch<T>(response.opened, `Watching ${type.plural}`);
    } catch (error) {
      signal.throwIfAborted();
      throw error;
    }
  }

  /** The log of a pod's container, as text. */
  async podLog(ref: ObjectRef, options: LogOptions = {}): Promise<string> {
    const { container, tailLines, limitBytes, previous } = options;
    const path = pathOf(Pod, ref, 'log');
    const query = { container, tailLines, limitBytes, previous };
    return (await this.#request({ method: 'GET', path, query }, options)).text;
  }

  /** Closes idle connections; running requests and watches end by their own signals. */
  close(): void {
    this.#transport.close();
  }

  async #listPage<T extends KubeObject>(
    type: ResourceType<T>,
    { namespace, labelSelector, fieldSelector }: Selection,
    page: { limit?: number; continue?: string },
    options: ListOptions,
  ): Promise<ListBody<T> | undefined> {
    const query = { labelSelector, fieldSelector, ...(options.remembered ? { resourceVersion: '0' } : page) };
    try {
      const request = { method: 'GET' as const, path: pathOf(type, { namespace }), query };
      return await this.#json<ListBody<T>>({ ...request, accept: acceptOf(type, 'List') }, options);
    } catch (error) {
      if (isGone(error) && page.continue !== undefined) return undefined;
      throw error;
    }
  }

  async #json<T>(request: Omit<HttpRequest, 'timeoutMilliseconds'>, options: CallOptions): Promise<T> {
    const answer = await this.#request(request, options);
    try {
      return JSON.parse(answer.text) as T;
    } catch (error) {
      throw new ConnectionError(
        `${request.method} ${request.path} was answered with something that is not JSON.`,
        error,
      );
    }
  }

  async #request(request: Omit<HttpRequest, 'timeoutMilliseconds'>, options: CallOptions): Promise<HttpAnswer> {
    const { signal } = options;
    const timeoutMilliseconds = options.timeoutMilliseconds ?? this.#timeout();
    let waited = 0;
    for (let attempt = 0; ; attempt++) {
      const answer = await this.#observed(request.method, () =>
        this.#transport.request({ ...request, signal, timeoutMilliseconds }),
      );
      if (answer.code < 400) return answer;
      const error = errorOf(answer);
      const pause = throttledFor(request.method, error);
      if (pause === undefined || attempt >= maxThrottledRetries || waited + pause > maxThrottledMilliseconds)
        throw error;
      waited += pause;
      await delay(pause);
      signal?.throwIfAborted();
    }
  }

  async #observed<A extends { code: number; headers: HttpAnswer['headers'] }>(
    method: string,
    send: () => Promise<A>,
  ): Promise<A> {
    const began = performance.now();
    let code = 0;
    try {
      const answer = await send();
      code = answer.code;
      for (const warning of warningsOf(answer.headers)) this.#options.onWarning?.(warning);
      return answer;
    } finally {
      const host = await this.#transport.host().catch(() => 'unknown');
      this.#options.onRequest?.({ method, code, host, milliseconds: performance.now() - began });
    }
  }

  #timeout(): number {
    return this.#options.timeoutMilliseconds ?? 10_000;
  }
}

interface ListBody<T> {
  metadata: { resourceVersion?: string; continue?: string };
  /** null in an empty PartialObjectMetadataList. */
  items: T[] | null;
}
