import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { ApiError, type StatusBody } from './errors.ts';
import type { HttpAnswer } from './transport.ts';
import type { KubeObject, ResourceType } from './types.ts';

/** The error that an answer with a code of 400 or more stands for, in the API server's own words. */
export function errorOf(answer: HttpAnswer): ApiError {
  const status = parseStatus(answer);
  const seconds = Number(answer.headers['retry-after']);
  // An absent header is NaN, an HTTP date too; Kubernetes sends seconds.
  if (Number.isFinite(seconds)) status.details = { ...status.details, retryAfterSeconds: seconds };
  return new ApiError({ ...status, code: answer.code });
}

/** The same for an answer whose body has not been read yet; a status is small, so a megabyte is plenty. */
export async function errorOfStream(response: IncomingMessage): Promise<ApiError> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response) {
    chunks.push(chunk as Buffer);
    size += (chunk as Buffer).length;
    if (size > 1_000_000) break;
  }
  const text = Buffer.concat(chunks).toString('utf8');
  return errorOf({ code: response.statusCode ?? 0, headers: response.headers, text });
}

function parseStatus({ code, text }: HttpAnswer): StatusBody {
  try {
    const body = JSON.parse(text) as StatusBody & { kind?: string };
    if (body.kind === 'Status') return body;
  } catch {
    // Not JSON: a proxy in between, or the server's plain text "404 page not found" for an unknown API group.
  }
  return { reason: reasons[code] ?? 'Unknown', message: `The server answered ${code}: ${text.slice(0, 200).trim()}` };
}

const reasons: Partial<Record<number, string>> = {
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  410: 'Expired',
};

/**
 * How many milliseconds to wait before a request that was turned away unseen may be sent once more, or undefined if it
 * may not. Only 429 with Retry-After: the server promises that it did not begin. POST is left to the caller all the
 * same, because the 429 of a webhook or a proxy in between promises nothing.
 */
export function throttledFor(method: string, error: ApiError): number | undefined {
  if (error.code !== 429 || error.retryAfterSeconds === undefined || method === 'POST') return undefined;
  return Math.max(0, error.retryAfterSeconds) * 1000;
}

/** The texts of the Warning headers (RFC 9111, `299 - "text"`), by which the API server tells of unknown fields. */
export function warningsOf(headers: IncomingHttpHeaders): string[] {
  const header = headers.warning;
  if (header === undefined) return [];
  const texts = header.matchAll(/299 \S+ "((?:[^"\\]|\\.)*)"/g);
  return [...texts].map(([, text = '']) => text.replace(/\\(.)/g, '$1'));
}

/**
 * In a Scale the server leaves `spec.replicas` out when it is 0 (omitempty), unlike in a Deployment. Whoever reads
 * undefined as "unknown" or compares with 0 would never see an application that is scaled down; so it is put back.
 */
export function withReplicas<T extends KubeObject>(object: T & { spec?: object }): T {
  if (object.kind !== 'Scale' || object.apiVersion !== 'autoscaling/v1') return object;
  return { ...object, spec: { replicas: 0, ...object.spec } };
}

/** What a list or a watch asks for; see "Metadata-only fetches" in the Kubernetes API concepts. */
export function acceptOf({ metadataOnly }: ResourceType<KubeObject>, of: 'List' | 'Watch'): string | undefined {
  const kind = of === 'List' ? 'PartialObjectMetadataList' : 'PartialObjectMetadata';
  return metadataOnly && `application/json;as=${kind};g=meta.k8s.io;v=v1`;
}
