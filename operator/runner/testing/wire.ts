import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { ClientMessages, type ClientMessage } from './protocol.ts';

/** What becomes of the connection that a query is on: cut before the server has it, or before its answer comes back. */
export type Fate = 'CutBefore' | 'LoseAnswer' | undefined;

/** The wire between runner and server, which can be cut at any query. */
export class Wire {
  readonly port: number;
  /** Asked of every query before it is passed on. */
  onQuery: (text: string) => Fate | Promise<Fate> = () => undefined;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
  }

  static async to(target: { host: string; port: number }): Promise<Wire> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const wire = new Wire(server);
    server.on('connection', (client) => wire.#join(client, connect(target.port, target.host)));
    return wire;
  }

  #join(client: Socket, server: Socket): void {
    let isLosing = false;
    const cut = () => {
      client.destroy();
      server.destroy();
    };
    for (const socket of [client, server]) {
      this.#sockets.add(socket.setNoDelay());
      socket.on('error', cut);
      socket.on('close', () => {
        this.#sockets.delete(socket);
        cut();
      });
    }
    server.on('data', (data) => (isLosing ? cut() : client.write(data)));
    const messages = new ClientMessages();
    const pass = async (message: ClientMessage) => {
      const fate = message.query === undefined ? undefined : await this.onQuery(message.query);
      if (fate === 'CutBefore') return cut();
      isLosing ||= fate === 'LoseAnswer';
      if (!server.destroyed) server.write(message.bytes);
    };
    let passed = Promise.resolve();
    client.on('data', (data) => {
      for (const message of messages.push(data)) passed = passed.then(() => pass(message));
    });
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
