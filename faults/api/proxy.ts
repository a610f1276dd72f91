import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Agent, request as secureRequest } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { ControlPlane } from '../../e2e/cluster/control-plane.ts';
import { callOf, CallCounter, statusBody, targetOf, type Answer, type Call } from './calls.ts';
import { BLACK_HOLE_MILLISECONDS, LATE_MILLISECONDS, type CallFault, type Fault } from './faults.ts';
import { ListMemory } from './list-memory.ts';
import { WatchFaults } from './watch-faults.ts';

export interface ProxyOptions {
  plane: ControlPlane;
  /** What goes wrong; nothing in a reference run. */
  fault?: Fault;
  /** Has the client's process killed at once; resolves when it is gone. */
  kill: () => Promise<void>;
  /** Has the client's process stopped at once, and another one started beside it; returns what wakes it up. */
  freeze?: () => () => void;
  /** Told of every mutating call before it is passed on, whatever becomes of it. */
  beforeWrite?: (call: Call, body: Buffer) => Promise<void>;
  /** Whether the application answers a smoke test now. */
  applicationAnswers?: () => boolean;
}

/** One mutating call that passed, in order. */
export interface PassedCall extends Call {
  /** With its number among those of its name since numbering began: `patch-run-status.3`. */
  id: string;
  at: number;
  /** Number of the connection that it came on, from 1. */
  connection: number;
}

/** So many calls of another replica, then the frozen one wakes up. */
const OF_THE_SUCCESSOR = 3;
const LOOK_MILLISECONDS = 100;
/** Every history has this call in its middle. */
const STALE_AFTER = 'patch-run-status.4';

/**
 * Stands between one client (the operator, or a runner) and the API server, numbers every mutating call and does the one thing that is to go
 * wrong. It is also the way on which smoke tests reach the application, of which nothing runs.
 */
export class FaultProxy {
  readonly calls: PassedCall[] = [];
  /** When the fault was last seen to do something; undefined: not yet. */
  faultedAt: number | undefined;
  private readonly options: ProxyOptions;
  private readonly agent: Agent;
  private readonly server: Server;
  private readonly lists = new ListMemory();
  private readonly watches: WatchFaults;
  /** Connections from 1 to this one are those of a process that was killed; undefined: none was yet. */
  killedConnections: number | undefined;
  private readonly connections = new Map<Socket, number>();
  private counter: CallCounter | undefined;
  private user: string | undefined;
  private hole: Promise<void> | undefined;
  private held: (() => unknown) | undefined;

  static async start(options: ProxyOptions): Promise<FaultProxy> {
    const proxy = new FaultProxy(options, await readFile(options.plane.certificateAuthority));
    await new Promise<void>((resolve) => proxy.server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  private constructor(options: ProxyOptions, ca: Buffer) {
    this.options = options;
    this.agent = new Agent({ ca, keepAlive: true });
    this.server = createServer((request, response) => {
      if (isSmokeTest(request)) return void response.writeHead(options.applicationAnswers?.() ? 200 : 503).end();
      this.handle(request, response).catch(() => response.destroy());
    });
    this.server.on('connection', (socket: Socket) => this.connections.set(socket, this.connections.size + 1));
    this.watches = new WatchFaults({
      fault: options.fault?.at === 'Watch' ? options.fault : undefined,
      faulted: () => this.faulted(),
      hole: () => this.hole,
    });
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** From here on every request is made in the name of that user, with no other rights than hers. */
  actsAs(user: string): void {
    this.user = user;
  }

  /** From here on calls have numbers, and what is to go wrong does. */
  begin(): void {
    this.counter ??= new CallCounter();
    this.watches.begin();
  }

  get begun(): boolean {
    return this.counter !== undefined;
  }

  close(): void {
    this.server.closeAllConnections();
    this.server.close();
    this.agent.destroy();
  }

  /** Another start connects only later. */
  private async kill(): Promise<void> {
    await this.options.kill();
    this.killedConnections = this.connections.size;
  }

  private async passLate(request: IncomingMessage, body: Buffer): Promise<void> {
    request.socket.resetAndDestroy();
    await delay(LATE_MILLISECONDS);
    await this.forward(request, body);
  }

  /** Its answer is there when the client wakes up. */
  private async freeze(fault: CallFault, answer: () => Promise<void>): Promise<void> {
    this.held = this.options.freeze?.();
    await answer();
    if (fault === 'freeze-to-end') return;
    const since = this.workCalls;
    while (this.held && this.workCalls < since + OF_THE_SUCCESSOR) await delay(LOOK_MILLISECONDS);
    await this.passHeld();
  }

  private get workCalls(): number {
    return this.calls.filter((call) => call.class === 'Work').length;
  }

  /** The run is at its end: what was held until then goes on, a call or the client. */
  async passHeld(): Promise<void> {
    const { held } = this;
    this.held = undefined;
    if (!held) return;
    await held();
    this.faulted();
  }

  /** Something has gone wrong now. */
  faulted(): void {
    this.faultedAt = Date.now();
  }

  private async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    await this.hole;
    if (response.destroyed) return;
    const { method = 'GET', url = '/' } = request;
    const { pathname, searchParams } = new URL(url, 'http://operator');
    const call = callOf(method, pathname);
    if (call) return this.mutate(call, request, response);
    const target = targetOf(pathname);
    if (target && searchParams.get('watch')) return this.watch(target.resource, request, response);
    if (target && target.object === undefined) return this.list(target.resource, request, response);
    return send(response, await this.forward(request));
  }

  private async mutate(call: Call, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await readAll(request);
    const id = this.counter?.next(call.name);
    const connection = this.connections.get(request.socket) ?? 0;
    this.calls.push({ ...call, id: id ?? call.name, at: Date.now(), connection });
    await this.options.beforeWrite?.(call, body);
    const fault = this.faultOf(id);
    if (fault) return this.inject(fault, request, response, body);
    // Several calls may be on their way when the hole opens.
    const answer = await this.forward(request, body);
    await this.hole;
    send(response, answer);
  }

  /** Lists are stale for an operator that has just been started: so it is killed in the middle. */
  private faultOf(id: string | undefined): CallFault | undefined {
    const { fault } = this.options;
    if (fault?.at === 'Call') return id === fault.call ? fault.fault : undefined;
    return fault?.fault === 'stale-list' && id === STALE_AFTER ? 'kill-before' : undefined;
  }

  private async inject(
    fault: CallFault,
    request: IncomingMessage,
    response: ServerResponse,
    body: Buffer,
  ): Promise<void> {
    this.faulted();
    const refuse = (code: number, reason: string, headers: Record<string, string> = {}) =>
      response
        .writeHead(code, { 'content-type': 'application/json', ...headers })
        .end(statusBody(code, reason, `${reason}, as the fault sweep wants it.`));
    switch (fault) {
      case 'kill-before':
        await this.kill();
        break;
      case 'kill-after':
      case 'upgrade':
      case 'downgrade':
        await this.forward(request, body);
        await this.kill();
        break;
      case '409':
        refuse(409, 'Conflict');
        break;
      case '429':
        refuse(429, 'TooManyRequests', { 'retry-after': '1' });
        break;
      case '500':
        refuse(500, 'InternalError');
        break;
      case '504':
        // What a gateway gives up waiting for may be carried out all the same.
        await this.forward(request, body);
        refuse(504, 'Timeout');
        break;
      case 'reset':
        request.socket.resetAndDestroy();
        break;
      case 'lost-answer':
        await this.forward(request, body);
        request.socket.resetAndDestroy();
        break;
      case 'late':
        await this.passLate(request, body);
        break;
      case 'after-end':
        request.socket.resetAndDestroy();
        this.held = () => this.forward(request, body);
        break;
      case 'freeze':
      case 'freeze-to-end':
        await this.freeze(fault, () => this.forward(request, body).then((answer) => send(response, answer)));
        break;
      case 'black-hole':
        await this.openHole();
        request.socket.destroy();
        break;
    }
    this.faulted();
  }

  /** For a while nothing passes, in either direction, and nobody is told. */
  private async openHole(): Promise<void> {
    this.hole = new Promise((resolve) => setTimeout(resolve, BLACK_HOLE_MILLISECONDS));
    await this.hole;
    this.hole = undefined;
  }

  private async list(resource: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const answer = await this.forward(request);
    const { fault } = this.options;
    const stale = fault?.at === 'Watch' && fault.fault === 'stale-list' && fault.resource === resource;
    const before = this.lists.remember(request, answer);
    await this.hole;
    if (!stale || !this.begun || !before) return send(response, answer);
    this.faulted();
    send(response, before);
  }

  private async watch(resource: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const opened = await this.open(request);
    if (opened.statusCode !== 200) return send(response, await answerOf(opened));
    response.writeHead(200, headersOf(opened.headers));
    response.flushHeaders();
    response.once('close', () => opened.destroy());
    await this.watches.pass(resource, opened, response);
  }

  private async forward(request: IncomingMessage, body?: Buffer): Promise<Answer> {
    return answerOf(await this.open(request, body));
  }

  private open(request: IncomingMessage, body?: Buffer): Promise<IncomingMessage> {
    const { host: _host, connection: _connection, ...headers } = request.headers;
    const target = new URL(request.url ?? '/', this.options.plane.url);
    return new Promise((resolve, reject) => {
      const asUser = this.user === undefined ? {} : { 'impersonate-user': this.user };
      const sent = secureRequest(target, {
        method: request.method,
        headers: { ...headers, ...asUser },
        agent: this.agent,
      });
      sent.once('response', resolve).once('error', reject);
      sent.end(body);
    });
  }
}

async function answerOf(opened: IncomingMessage): Promise<Answer> {
  return { code: opened.statusCode ?? 502, headers: opened.headers, body: await readAll(opened) };
}

function send(response: ServerResponse, { code, headers, body }: Answer): void {
  response.writeHead(code, { ...headersOf(headers), 'content-length': String(body.length) }).end(body);
}

/** The hop's own headers are not the answer's. */
function headersOf(headers: IncomingMessage['headers']) {
  const { connection: _connection, 'transfer-encoding': _encoding, 'content-length': _length, ...rest } = headers;
  return rest;
}

async function readAll(stream: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** Who asks a proxy names the whole address (RFC 9112, 3.2.2); who asks the API server a path. */
function isSmokeTest({ url = '' }: IncomingMessage): boolean {
  return url.startsWith('http://');
}
