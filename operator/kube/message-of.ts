import { redact } from './redact.ts';

/**
 * The sentence of whatever was thrown, without the secrets that can be recognised in it. A name with several addresses
 * of which none answers is an AggregateError without a word of its own: the failures that it is made of are told.
 */
export function messageOf(error: unknown): string {
  if (error instanceof AggregateError && !error.message) return error.errors.map(messageOf).join('; ');
  return redact(error instanceof Error ? error.message : String(error));
}
