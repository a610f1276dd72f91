import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { DatabaseError } from 'pg';

/** What a client of the API is told: a word for programs, a sentence for people. */
export interface Problem {
  status: ContentfulStatusCode;
  code: string;
  message: string;
}

/** A request that cannot be fulfilled, for a reason that its sender can do something about. */
export class ApiError extends Error implements Problem {
  override name = 'ApiError';
  readonly status: ContentfulStatusCode;
  readonly code: string;

  constructor(status: ContentfulStatusCode, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** 404 for an object that does not exist. */
export function notFound(kind: string, id: string): ApiError {
  return new ApiError(404, 'NotFound', `There is no ${kind} with the id ${id}.`);
}

const unavailable: Problem = {
  status: 503,
  code: 'DatabaseUnavailable',
  message: 'The database cannot be reached at the moment. Try again later.',
};

const wrongSchema: Problem = {
  status: 503,
  code: 'SchemaMismatch',
  message: 'The database has a schema that this version of the planner was not made for.',
};

const internal: Problem = {
  status: 500,
  code: 'InternalError',
  message: 'Something went wrong in the planner; its log says what.',
};

/** SQLSTATE classes and codes, longest first match (PostgreSQL documentation, appendix A). */
const bySqlState: [prefix: string, problem: Problem][] = [
  ['42501', { ...unavailable, message: 'The planner is not allowed to use the database at the moment.' }],
  ['42', wrongSchema],
  ['08', unavailable],
  ['25006', unavailable],
  ['28', unavailable],
  ['3D', unavailable],
  ['53', unavailable],
  ['55P03', unavailable],
  ['57', unavailable],
  [
    '22003',
    { status: 400, code: 'InvalidInput', message: 'A number in the request is larger than the planner can keep.' },
  ],
  [
    '40',
    { status: 409, code: 'Conflict', message: 'Somebody else changed the same data at the same moment. Try again.' },
  ],
];

/** What to answer for an error, whatever it is; nothing of its text reaches the client unless it is an ApiError. */
export function problemOf(error: unknown): Problem {
  if (error instanceof ApiError) return error;
  if (error instanceof DatabaseError) {
    const match = bySqlState.find(([prefix]) => error.code?.startsWith(prefix));
    return match?.[1] ?? internal;
  }
  return isConnectionLoss(error) ? unavailable : internal;
}

/** The driver has no class of its own for a connection that failed, was lost or gave no answer in time. */
function isConnectionLoss(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (error instanceof AggregateError) return error.errors.some(isConnectionLoss);
  const code = 'code' in error ? String(error.code) : '';
  return (
    /^(ECONN|EPIPE|ETIMEDOUT|EHOST|ENET|ENOTFOUND|EAI_)/.test(code) || /connect|timeout|ended/i.test(error.message)
  );
}
