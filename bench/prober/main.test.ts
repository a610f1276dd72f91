import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect } from 'chai';
import { seenOutage } from '../outage/probe.ts';
import { probesIn, stateIn, type ProberLine } from '../outage/prober-lines.ts';

/** The prober as it runs in its pod, against a server that is taken away and comes back as another version. */
describe('the prober', () => {
  let server: Server | undefined;
  let prober: ChildProcessWithoutNullStreams | undefined;

  const clientPorts: number[] = [];

  afterEach(async () => {
    prober?.kill('SIGKILL');
    if (server) await stop(server);
  });

  async function serve(version: string, port = 0): Promise<number> {
    server = createServer((incoming, response) => {
      clientPorts.push(incoming.socket.remotePort!);
      response.end(JSON.stringify({ version }));
    });
    await once(server.listen(port, '127.0.0.1'), 'listening');
    return (server.address() as AddressInfo).port;
  }

  async function stop(what: Server): Promise<void> {
    server = undefined;
    what.closeAllConnections();
    await new Promise((resolve) => what.close(resolve));
  }

  const parse = (line: string) => JSON.parse(line) as ProberLine;

  it('tells when the answers change, and in the end every request with what came of it', async () => {
    const port = await serve('1.0.0');
    const started = Date.now();
    const file = join(import.meta.dirname, 'main.ts');
    prober = spawn(process.execPath, [file, `http://127.0.0.1:${port}/`, '20', '1000']);
    const lines = createInterface({ input: prober.stdout });
    const states: string[] = [];
    const all: ProberLine[] = [];
    lines.on('line', (line) => all.push(parse(line)));
    const seen = async (state: string) => {
      while (!states.includes(state)) {
        states.splice(0, states.length, ...all.flatMap((line) => stateIn(line)?.state ?? []));
        if (!states.includes(state)) await once(lines, 'line');
      }
    };
    await seen('1.0.0');
    const before = Date.now();
    await stop(server!);
    await seen('failing');
    await serve('2.0.0', port);
    await seen('2.0.0');
    const after = Date.now();
    prober.stdin.end();
    const [code] = (await once(prober, 'exit')) as [number];

    expect(code).to.equal(0);
    expect(states).to.deep.equal(['1.0.0', 'failing', '2.0.0']);
    const probes = all.flatMap((line) => probesIn(line) ?? []);
    const outage = seenOutage(probes, '2.0.0');
    const slots = clientPorts.map((port) => port - 10_000);
    const [first, last] = [started, Date.now()].map((moment) => Math.floor(moment / 20) % 50_000) as [number, number];
    expect(slots, 'each port belongs to its time').to.satisfy(
      (all: number[]) => first > last || all.every((slot) => slot > first && slot <= last + 1),
    );
    expect(outage.failed).to.be.greaterThan(0);
    expect(outage.end).to.be.within(before, after + 5);
    expect(outage.milliseconds).to.be.at.most(after - before + 40);
  });
});
