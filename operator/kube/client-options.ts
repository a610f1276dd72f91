/** Which objects a list or a watch is about. Selectors in the API's own notation. */
export interface Selection {
  namespace?: string;
  labelSelector?: string;
  fieldSelector?: string;
}

/** Settings of single calls. */
export interface CallOptions {
  /** Ends the call early; its reason is then thrown. */
  signal?: AbortSignal;
  /** For the whole call, body included; instead of the client's. */
  timeoutMilliseconds?: number;
}

export interface ListOptions extends CallOptions {
  /**
   * Answered at once from what the API server remembers, which may be a little older than what is stored
   * (https://kubernetes.io/docs/reference/using-api/api-concepts/#semantics-for-get-and-list, `resourceVersion=0`). A
   * current list waits until the server's memory has caught up with the store, up to 100 ms.
   */
  remembered?: boolean;
}

export interface WriteOptions extends CallOptions {
  /** Name under which the written fields are owned (metadata.managedFields). */
  fieldManager?: string;
}

export interface PatchOptions extends WriteOptions {
  /** Apply is server-side apply: it needs `fieldManager`, and `body` with apiVersion and kind. */
  kind: 'Merge' | 'Json' | 'Apply' | 'StrategicMerge';
  body: unknown;
  subresource?: 'status' | 'scale';
  /** Apply only: take the applied fields over from whoever owns them. */
  force?: boolean;
}

export interface DeleteOptions extends CallOptions {
  /** Default Background: some kinds' own default would orphan their pods. */
  propagationPolicy?: 'Background' | 'Foreground' | 'Orphan';
  /** The delete fails with a conflict if the object is another one by now. */
  preconditions?: { uid?: string; resourceVersion?: string };
  gracePeriodSeconds?: number;
}

export interface WatchOptions extends Selection {
  /** Events after this one are sent. */
  resourceVersion: string;
  /** The server ends the watch after so many seconds. */
  timeoutSeconds: number;
  /** About once a minute, and before the end, the server tells how far it is. */
  allowBookmarks: boolean;
}

export interface LogOptions extends CallOptions {
  container?: string;
  tailLines?: number;
  limitBytes?: number;
  previous?: boolean;
}

/** Settings of a client. */
export interface ClientOptions {
  /** For one whole request, body included. Default 10 s. */
  timeoutMilliseconds?: number;
  /** How the API server's audit log, and managed fields without a field manager, name us. */
  userAgent?: string;
  /** Told of every answer; code 0 when none came. For metrics. */
  onRequest?: (request: { method: string; code: number; host: string; milliseconds: number }) => void;
  /** Told what the API server warns of: deprecated or unknown fields. */
  onWarning?: (warning: string) => void;
}
