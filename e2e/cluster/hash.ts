import { createHash } from 'node:crypto';

/**
 * A short name for contents: 16 hexadecimal digits that differ as soon as one part or the borders between parts do.
 * Used for cache entries, so that a changed input never meets an old result.
 */
export function contentHash(parts: (string | Uint8Array)[]): string {
  const hash = createHash('sha256');
  for (const part of parts) {
    hash.update(`${Buffer.byteLength(part)}:`);
    hash.update(part);
  }
  return hash.digest('hex').slice(0, 16);
}
