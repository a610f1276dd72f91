/**
 * PostgreSQL's wire protocol, as far as a test must understand it to be between client and server
 * (https://www.postgresql.org/docs/current/protocol-message-formats.html).
 */

const ENCRYPTION_REQUESTS = [80877103, 80877104];

export interface ClientMessage {
  bytes: Buffer;
  /** SQL text, where the message carries some. */
  query?: string;
  /** The parameters that a session begins with. */
  startup?: Record<string, string>;
  /** Answered with one byte that is no message. */
  asksForEncryption?: boolean;
}

/** Splits what a client sends into messages. */
export class ClientMessages {
  #rest = Buffer.alloc(0);
  #started = false;

  push(data: Buffer): ClientMessage[] {
    this.#rest = Buffer.concat([this.#rest, data]);
    const messages: ClientMessage[] = [];
    for (let message = this.#next(); message; message = this.#next()) messages.push(message);
    return messages;
  }

  #next(): ClientMessage | undefined {
    // Only the messages before the start have no type byte.
    const lengthAt = this.#started ? 1 : 0;
    if (this.#rest.length < lengthAt + 4) return undefined;
    const end = lengthAt + this.#rest.readInt32BE(lengthAt);
    if (this.#rest.length < end) return undefined;
    const bytes = this.#rest.subarray(0, end);
    this.#rest = this.#rest.subarray(end);
    if (!this.#started) return this.#beforeStart(bytes);
    const type = String.fromCharCode(bytes[0]!);
    if (type !== 'Q' && type !== 'P') return { bytes };
    // A simple query's text comes first, that of one to be parsed after the statement's name.
    return { bytes, query: bytes.subarray(5).toString().split('\0')[type === 'Q' ? 0 : 1] };
  }

  #beforeStart(bytes: Buffer): ClientMessage {
    if (ENCRYPTION_REQUESTS.includes(bytes.readInt32BE(4))) return { bytes, asksForEncryption: true };
    this.#started = true;
    const words = bytes.subarray(8).toString().split('\0');
    const startup: Record<string, string> = {};
    for (let at = 0; words[at]; at += 2) startup[words[at]!] = words[at + 1] ?? '';
    return { bytes, startup };
  }
}

export interface ServerMessage {
  /** Its type byte as a character; empty for the answer to a request for encryption. */
  type: string;
  bytes: Buffer;
}

/** Splits what a server sends into messages. */
export class ServerMessages {
  #rest = Buffer.alloc(0);
  #singleBytes = 0;

  /** The next byte is an answer of its own. */
  expectSingleByte(): void {
    this.#singleBytes += 1;
  }

  push(data: Buffer): ServerMessage[] {
    this.#rest = Buffer.concat([this.#rest, data]);
    const messages: ServerMessage[] = [];
    for (let message = this.#next(); message; message = this.#next()) messages.push(message);
    return messages;
  }

  #next(): ServerMessage | undefined {
    if (this.#singleBytes > 0) {
      if (this.#rest.length === 0) return undefined;
      this.#singleBytes -= 1;
      return this.#take('', 1);
    }
    if (this.#rest.length < 5) return undefined;
    const end = 1 + this.#rest.readInt32BE(1);
    return this.#rest.length < end ? undefined : this.#take(String.fromCharCode(this.#rest[0]!), end);
  }

  #take(type: string, end: number): ServerMessage {
    const bytes = this.#rest.subarray(0, end);
    this.#rest = this.#rest.subarray(end);
    return { type, bytes };
  }
}
