/**
 * Asks a URL again and again, as a client of the application would, and remembers every answer. One file without
 * dependencies: it runs as it is, from a ConfigMap, on any Node that strips types.
 *
 * node main.ts URL EVERY_MS TIMEOUT_MS
 *
 * Writes a JSON line `{"state", "since"}` whenever the kind of answer changes: the version that answered, or `failing`.
 * When standard input ends it stops and writes `{"probes": [[start, end, status, version], …]}`; nothing is written per
 * request, so that watching does not disturb what is watched.
 */
import { request } from 'node:http';

type Row = [start: number, end: number, status: number, version: string];

const [url, every, timeout] = process.argv.slice(2);
if (!url || !(Number(every) > 0) || !(Number(timeout) > 0)) {
  process.stderr.write('Usage: node main.ts URL EVERY_MS TIMEOUT_MS\n');
  process.exit(2);
}
const timeoutMs = Number(timeout);
/** As many as a prober that began in 1970 would have used by now: one that was started before has used others. */
const portsBefore = Math.floor(Date.now() / Number(every));

const rows: Row[] = [];
let state = '';
let underWay = 0;
let stopping = false;

/** Wall time for comparison with other programs, but counted by the monotonic clock: a clock set back cannot shorten it. */
const now = () => performance.timeOrigin + performance.now();

const FIRST_PORT = 10_000;
const PORTS = 50_000;

/**
 * A port of its own for each request, the same one not before a quarter of an hour. The kernel's choice comes back
 * sooner than the address translation forgets a request that was sent to a pod which is gone (120 s): the new request
 * would be sent there too, although the application is long back.
 */
function unusedPort(): number {
  return FIRST_PORT + ((portsBefore + ++portsUsed) % PORTS);
}
let portsUsed = 0;

function probe(target: string): void {
  const start = now();
  underWay++;
  let isSettled = false;
  const settle = (status: number, version: string) => {
    if (isSettled) return;
    isSettled = true;
    clearTimeout(timer);
    const end = now();
    rows.push([start, end, status, version]);
    tellChange(status === 200 ? version : 'failing', end);
    underWay--;
    if (stopping && underWay === 0) finish();
  };
  // No agent: every request opens a connection of its own, and so is balanced anew.
  const options = { agent: false, localPort: unusedPort(), headers: { connection: 'close' } } as const;
  const outgoing = request(target, options, (response) => {
    const chunks: Buffer[] = [];
    response.on('data', (chunk: Buffer) => chunks.push(chunk));
    response.on('end', () => settle(response.statusCode ?? 0, versionIn(Buffer.concat(chunks).toString())));
    response.on('error', () => settle(0, ''));
  });
  const timer = setTimeout(() => {
    settle(0, '');
    outgoing.destroy();
  }, timeoutMs);
  outgoing.on('error', () => settle(0, ''));
  outgoing.end();
}

function versionIn(body: string): string {
  try {
    return (JSON.parse(body) as { version?: string }).version ?? '';
  } catch {
    return '';
  }
}

function tellChange(next: string, since: number): void {
  if (next === state || stopping) return;
  state = next;
  process.stdout.write(`${JSON.stringify({ state, since })}\n`);
}

function finish(): void {
  process.stdout.write(`${JSON.stringify({ probes: rows })}\n`, () => process.exit(0));
}

const timer = setInterval(() => probe(url), Number(every));
process.stdin.resume().on('end', () => {
  stopping = true;
  clearInterval(timer);
  if (underWay === 0) finish();
});
