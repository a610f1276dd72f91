import type { IncomingMessage } from 'node:http';
import type { Answer } from './calls.ts';

/** So far may an API server's memory lag behind. */
const LAG_MILLISECONDS = 2000;

interface Remembered {
  at: number;
  answer: Answer;
}

/**
 * Lists as they were answered before. A list with `resourceVersion=0` may come from any API server's memory, and one of
 * several may lag behind: it is answered as it was seen two seconds ago. The lists that watches begin from are answered
 * as at the operator's first start; the watch then goes on from there and brings what is missing.
 */
export class ListMemory {
  private readonly answers = new Map<string, Remembered[]>();

  /** Returns the answer that a stale server would give; undefined while there is none. */
  remember(request: IncomingMessage, answer: Answer): Answer | undefined {
    const url = new URL(request.url ?? '/', 'http://operator');
    const fromMemory = url.searchParams.get('resourceVersion') === '0';
    const beginsWatch = request.headers.accept?.includes('PartialObjectMetadataList') ?? false;
    // A current list is a promise of the API server that nothing in between can break.
    if ((!fromMemory && !beginsWatch) || answer.code !== 200) return undefined;
    const key = `${request.url}#${request.headers.accept}`;
    const before = this.answers.get(key) ?? [];
    const now = Date.now();
    this.answers.set(key, [...before, { at: now, answer }]);
    const stale = fromMemory ? before.findLast(({ at }) => at <= now - LAG_MILLISECONDS) : undefined;
    return (stale ?? before[0])?.answer;
  }
}
