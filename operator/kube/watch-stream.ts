import type { IncomingMessage } from 'node:http';
import { ApiError, ConnectionError, type StatusBody } from './errors.ts';
import { explainStream } from './transport.ts';
import type { KubeObject, WatchEvent } from './types.ts';

const newline = 0x0a;

/**
 * Splits a watch's body into its events. Ends when the server ends the watch, throws an {@link ApiError} for an ERROR
 * event (410 when the resourceVersion is too old) and a {@link ConnectionError} when the stream breaks. Leaving the
 * loop closes the connection.
 */
export async function* readWatch<T extends KubeObject>(
  response: IncomingMessage,
  what: string,
): AsyncGenerator<WatchEvent<T>, void, undefined> {
  try {
    for await (const line of readLines(response)) yield parseEvent<T>(line, what);
  } catch (error) {
    throw explainStream(error, what);
  } finally {
    response.destroy();
  }
}

/** An object may be larger than a chunk, and a chunk may end inside a character: bytes are split, not strings. */
async function* readLines(response: IncomingMessage): AsyncGenerator<string, void, undefined> {
  let pending: Buffer[] = [];
  for await (const read of response) {
    let chunk = read as Buffer;
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline)) {
      pending.push(chunk.subarray(0, end));
      const line = Buffer.concat(pending).toString('utf8');
      pending = [];
      chunk = chunk.subarray(end + 1);
      if (line !== '') yield line;
    }
    if (chunk.length > 0) pending.push(chunk);
  }
  // Half a line: the server was cut off in the middle of an event, which must not pass for a clean end.
  if (pending.length > 0) throw new Error('the last event is incomplete');
}

function parseEvent<T extends KubeObject>(line: string, what: string): WatchEvent<T> {
  let event: { type?: string; object?: unknown };
  try {
    event = JSON.parse(line) as typeof event;
  } catch (error) {
    throw new ConnectionError(`${what} sent something that is not JSON.`, error);
  }
  switch (event.type) {
    case 'ADDED':
    case 'MODIFIED':
    case 'DELETED':
    case 'BOOKMARK':
      return { type: event.type, object: event.object as T };
    case 'ERROR':
      throw new ApiError(event.object as StatusBody);
    default:
      throw new ConnectionError(`${what} sent an event of the unknown type ${String(event.type)}.`);
  }
}
