import { redact } from '../../kube/redact.ts';

/**
 * At most so many characters of a text that people will read, without the secrets that can be recognised in it: those
 * are taken out before it is cut, for what is left of one that was cut through cannot be recognised any more.
 */
export function excerpt(text: string, length: number): string {
  const told = redact(text);
  return told.length > length ? `${told.slice(0, length - 1)}…` : told;
}
