import { redact } from './redact.ts';

/** The parts of a metav1.Status that we use. */
export interface StatusBody {
  code?: number;
  reason?: string;
  message?: string;
  details?: { retryAfterSeconds?: number };
}

/** What the API server refused, in its own sentence. Never carries headers or bodies: those may hold secrets. */
export class ApiError extends Error {
  override readonly name: string = 'ApiError';
  /** HTTP status; 0 when no answer came ({@link ConnectionError}). */
  readonly code: number;
  /** metav1.Status.reason: `NotFound`, `Conflict`, `Invalid`, … */
  readonly reason: string;
  /** After how many seconds the server asks to be called again, when it says so. */
  readonly retryAfterSeconds?: number;

  constructor(status: StatusBody, cause?: unknown) {
    super(redact(status.message ?? 'The API server gave no reason.'), cause === undefined ? undefined : { cause });
    this.code = status.code ?? 0;
    this.reason = status.reason ?? 'Unknown';
    const seconds = status.details?.retryAfterSeconds;
    if (seconds !== undefined) this.retryAfterSeconds = seconds;
  }
}

/**
 * No whole answer came: refused, reset, timed out, TLS or DNS failed. A write may or may not have been carried out, so
 * the caller reads again before deciding anything.
 */
export class ConnectionError extends ApiError {
  override readonly name = 'ConnectionError';

  constructor(message: string, cause?: unknown) {
    super({ code: 0, reason: 'ConnectionFailed', message }, cause);
  }
}

function is(error: unknown, code: number, reason?: string): boolean {
  return error instanceof ApiError && error.code === code && (reason === undefined || error.reason === reason);
}

/** The object changed since it was read, or somebody else owns an applied field: read again and decide again. */
export const isConflict = (error: unknown): boolean => is(error, 409) && !isAlreadyExists(error);
/** An object of this name exists. */
export const isAlreadyExists = (error: unknown): boolean => is(error, 409, 'AlreadyExists');
export const isNotFound = (error: unknown): boolean => is(error, 404);
/** Validation refused the object; repeating the request cannot help. */
export const isInvalid = (error: unknown): boolean => is(error, 422) || is(error, 400);
/** RBAC or an admission policy refused. */
export const isForbidden = (error: unknown): boolean => is(error, 403);
/** The resourceVersion or the continue token is too old: list again. */
export const isGone = (error: unknown): boolean => is(error, 410);
/** No whole answer came; see {@link ConnectionError}. */
export const isConnectionError = (error: unknown): boolean => error instanceof ConnectionError;
