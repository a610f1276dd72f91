import type { IncomingHttpHeaders } from 'node:http';

/**
 * What a request to the API server is to the sweep. `Work` is numbered U1…Un; renewals of a Lease (`L1`…) and Events
 * (`E1`…) come when they come, so they are counted on their own and only a sample of them is faulted.
 */
export type CallClass = 'Work' | 'Lease' | 'Event';

/** One mutating request, named so that the same one can be found again in another run. */
export interface Call {
  class: CallClass;
  /** Verb and resource: `patch-run-status`. */
  name: string;
}

/** A whole answer of the API server. */
export interface Answer {
  code: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

export interface Target {
  /** Plural name of the resource: `phasemigrationruns`. */
  resource: string;
  /** Absent for a collection. */
  object?: string;
  subresource?: string;
}

const API_PATH = /^\/(?:api\/v1|apis\/[^/]+\/[^/]+)\/(?:namespaces\/[^/]+\/)?([^/]+)(?:\/([^/]+))?(?:\/([^/]+))?$/;

/** The resource that a URL of the API is about; undefined for anything else (`/version`, discovery). */
export function targetOf(path: string): Target | undefined {
  const [, resource, object, subresource] = API_PATH.exec(path) ?? [];
  return resource === undefined ? undefined : { resource, object, subresource };
}

const VERBS: Partial<Record<string, string>> = { POST: 'create', PUT: 'put', PATCH: 'patch', DELETE: 'delete' };
const SHORT: Partial<Record<string, string>> = { phasemigrationruns: 'run', phasemigrations: 'migration' };
const CLASSES: Partial<Record<string, CallClass>> = { leases: 'Lease', events: 'Event' };

/** Undefined: the request changes nothing. */
export function callOf(method: string, path: string): Call | undefined {
  const verb = VERBS[method];
  const target = targetOf(path);
  if (verb === undefined || !target) return undefined;
  const { resource, subresource } = target;
  const noun = SHORT[resource] ?? resource.replace(/s$/, '');
  return {
    class: CLASSES[resource] ?? 'Work',
    name: [verb, noun, ...(subresource === undefined ? [] : [subresource])].join('-'),
  };
}

/** Numbers calls of one name: `patch-run-status.3` is the third of them. */
export class CallCounter {
  private readonly counts = new Map<string, number>();

  next(name: string): string {
    const number = (this.counts.get(name) ?? 0) + 1;
    this.counts.set(name, number);
    return `${name}.${number}`;
  }
}

/** A Status as the API server answers one. */
export function statusBody(code: number, reason: string, message: string): string {
  return JSON.stringify({ kind: 'Status', apiVersion: 'v1', status: 'Failure', code, reason, message });
}
