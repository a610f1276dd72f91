import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import {
  ClientMessages,
  ServerMessages,
  type ClientMessage,
  type ServerMessage,
} from '../../operator/runner/testing/protocol.ts';
import { Counter, nameOfStatement } from './statements.ts';

/** One connection that goes over the wire. */
export interface Connection {
  /** Of the server's process; known once the session has begun. */
  pid?: number;
  /** The start of the runner that it belongs to. */
  epoch?: number;
  /** Of pg_dump or pg_restore, not of the runner itself. */
  isProgram: boolean;
  cut: () => void;
}

/** What a client asks the server: a statement, or (`connect`) to begin a session. */
export interface Statement {
  /** `COMMIT.1`; those of client programs begin with `program-`. */
  id: string;
  name: string;
  connection: Connection;
}

/** What is done to a statement. */
export interface Treatment {
  /** The connection is cut before the server has it. */
  isCut?: boolean;
  /** Told when the server has it. */
  whenPassed?: () => void;
  /** Told when the server's whole answer is there; it says what becomes of that answer. */
  whenAnswered?: (answer: Buffer) => AnswerFate | Promise<AnswerFate>;
}
export type AnswerFate = 'Pass' | 'Cut';

/** A statement that the server has got. */
export interface PassedStatement extends Pick<Statement, 'id' | 'name'> {
  epoch?: number;
  isProgram: boolean;
  /** How long the server took; absent while it has not answered. */
  milliseconds?: number;
}

/**
 * The wire between runner and server, which can be cut at any statement, be slow, or swallow everything for a while. It
 * carries the connections of pg_dump and pg_restore, too: the runner gives them the same host and port.
 */
export class FaultWire {
  readonly port: number;
  /** Each piece that goes to the server takes so long. */
  latencyMilliseconds = 0;
  /** Asked of every statement before it is passed on. */
  onStatement: (statement: Statement) => Treatment | undefined | Promise<Treatment | undefined> = () => undefined;
  /** In the order in which the server got them. */
  readonly passed: PassedStatement[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #arrived = new Counter();
  #hole: Promise<unknown> | undefined;
  #whenPassed: (() => void)[] = [];

  private constructor(server: Server) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
  }

  static async to(target: { host: string; port: number }): Promise<FaultWire> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const wire = new FaultWire(server);
    server.on('connection', (client) => wire.#join(client, connect(target.port, target.host)));
    return wire;
  }

  /** Nothing passes in either direction for so long; then everything does that was sent meanwhile, as TCP does it. */
  async swallow(milliseconds: number): Promise<void> {
    const hole = delay(milliseconds);
    this.#hole = hole;
    await hole;
    if (this.#hole === hole) this.#hole = undefined;
  }

  /** How many statements of that name the server has got. */
  count(name: string): number {
    return this.passed.filter((statement) => statement.name === name).length;
  }

  /** Resolves when so many statements of a start of the runner have been passed. */
  async untilPassed(epoch: number, count: number): Promise<void> {
    while (this.passed.filter((statement) => statement.epoch === epoch).length < count)
      await new Promise<void>((resolve) => this.#whenPassed.push(resolve));
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #join(client: Socket, server: Socket): void {
    for (const socket of [client, server]) {
      this.#sockets.add(socket.setNoDelay());
      socket.on('close', () => this.#sockets.delete(socket));
      // What becomes of the other end is told by `close`.
      socket.on('error', () => undefined);
    }
    const line = new Line(client, server, {
      onStatement: (text, connection) => this.#arrive(text, connection),
      onPassed: (statement) => this.#record(statement),
      hole: () => this.#hole,
    });
    client.on('data', (data) => line.fromClient(data, this.latencyMilliseconds));
    server.on('data', (data) => line.fromServer(data));
    client.on('close', () => line.clientHasLeft());
    server.on('close', () => line.serverHasLeft());
  }

  async #arrive(text: string | undefined, connection: Connection): Promise<[Statement, Treatment]> {
    const plain = text === undefined ? 'connect' : nameOfStatement(text);
    const name = connection.isProgram ? `program-${plain}` : plain;
    const statement = { id: this.#arrived.next(name), name, connection };
    return [statement, (await this.onStatement(statement)) ?? {}];
  }

  #record({ id, name, connection }: Statement): PassedStatement {
    const passed = { id, name, epoch: connection.epoch, isProgram: connection.isProgram };
    this.passed.push(passed);
    const told = this.#whenPassed;
    this.#whenPassed = [];
    for (const tell of told) tell();
    return passed;
  }
}

interface LineParts {
  /** Without a text: the beginning of a session. */
  onStatement: (text: string | undefined, connection: Connection) => Promise<[Statement, Treatment]>;
  onPassed: (statement: Statement) => PassedStatement;
  hole: () => Promise<unknown> | undefined;
}

interface Asked {
  passed: PassedStatement;
  at: number;
  whenAnswered: Treatment['whenAnswered'];
  /** What has come of an answer that is held back. */
  held: Buffer[];
}

/** One connection: what the client sends and what the server sends, each in its order. */
class Line {
  readonly connection: Connection = { isProgram: false, cut: () => this.#cut() };
  readonly #client: Socket;
  readonly #server: Socket;
  readonly #parts: LineParts;
  readonly #fromClient = new ClientMessages();
  readonly #fromServer = new ServerMessages();
  #toServer: Promise<unknown> = Promise.resolve();
  #toClient: Promise<unknown> = Promise.resolve();
  #asked: Asked | undefined;

  constructor(client: Socket, server: Socket, parts: LineParts) {
    this.#client = client;
    this.#server = server;
    this.#parts = parts;
  }

  fromClient(data: Buffer, latency: number): void {
    const messages = this.#fromClient.push(data);
    this.#toServer = this.#toServer.then(async () => {
      if (latency > 0) await delay(latency);
      for (const message of messages) await this.#pass(message);
    });
  }

  fromServer(data: Buffer): void {
    this.#toClient = this.#toClient.then(async () => {
      for (const message of this.#fromServer.push(data)) await this.#answer(message);
    });
  }

  /** What it sent before still arrives. */
  clientHasLeft(): void {
    void this.#toServer.then(() => this.#server.end());
  }

  serverHasLeft(): void {
    void this.#toClient.then(async () => {
      await this.#parts.hole();
      this.#client.end();
    });
  }

  async #pass({ bytes, query, startup, asksForEncryption }: ClientMessage): Promise<void> {
    await this.#parts.hole();
    if (asksForEncryption) this.#fromServer.expectSingleByte();
    if (startup) this.#introduce(startup);
    if (query === undefined && !startup) return this.#write(bytes);
    const [statement, treatment] = await this.#parts.onStatement(query, this.connection);
    if (treatment.isCut) return this.#cut();
    // The fault may have made a hole.
    await this.#parts.hole();
    const passed = this.#parts.onPassed(statement);
    this.#asked = { passed, at: performance.now(), whenAnswered: treatment.whenAnswered, held: [] };
    this.#write(bytes);
    treatment.whenPassed?.();
  }

  /** pg names an encoding when it begins a session; libpq leaves that to its environment, in which nothing stands. */
  #introduce(startup: Record<string, string>): void {
    const epoch = / e(\d+)$/.exec(startup['application_name'] ?? '')?.[1];
    if (epoch !== undefined) this.connection.epoch = Number(epoch);
    this.connection.isProgram = startup['client_encoding'] === undefined;
  }

  #write(bytes: Buffer): void {
    if (this.#server.writable) this.#server.write(bytes);
  }

  async #answer({ type, bytes }: ServerMessage): Promise<void> {
    const BACKEND_KEY_DATA = 'K';
    if (type === BACKEND_KEY_DATA) this.connection.pid = bytes.readInt32BE(5);
    await this.#parts.hole();
    const asked = this.#asked;
    if (!asked?.whenAnswered) {
      if (asked && isEnd(type)) this.#end(asked);
      this.#tell([bytes]);
      return;
    }
    asked.held.push(bytes);
    if (!isEnd(type)) return;
    this.#end(asked);
    const fate = await asked.whenAnswered(Buffer.concat(asked.held));
    if (fate === 'Cut') this.#cut();
    else this.#tell(asked.held);
  }

  #end(asked: Asked): void {
    asked.passed.milliseconds = performance.now() - asked.at;
    this.#asked = undefined;
  }

  #tell(pieces: Buffer[]): void {
    if (this.#client.writable) for (const piece of pieces) this.#client.write(piece);
  }

  #cut(): void {
    this.#client.destroy();
    this.#server.destroy();
  }
}

/** ReadyForQuery, or that the server is ready for COPY's data. */
function isEnd(type: string): boolean {
  return ['Z', 'G'].includes(type);
}
