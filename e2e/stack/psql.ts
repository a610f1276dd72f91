import { createInterface } from 'node:readline';
import { execa } from 'execa';
import { endsWithUs } from '../cluster/ends-with-us.ts';
import { planner } from '../cluster/names.ts';
import type { Cluster } from '../cluster/provider.ts';

/** psql as superuser in the pod of the planner's PostgreSQL; it reads statements and prints rows: columns by `|`. */
function psqlInPod({ namespace, database }: { namespace: string; database: string }): string[] {
  const inPod = ['kubectl', 'exec', '--quiet', '-i', `--namespace=${namespace}`, planner.database.workload, '--'];
  const connection = ['-h', '/tmp', '-U', 'postgres', '-d', database];
  return [...inPod, 'psql', '-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', ...connection];
}

const NEVER_STARTED = 'OCI runtime exec failed: exec failed: unable to start container process';
const MOST_STARTS = 3;

/** Now and then the container runtime loses the process that it is about to start: nothing was run, so it may be again. */
async function whenStarted<T>(start: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await start();
    } catch (error) {
      const wasStarted = !(error instanceof Error && error.message.includes(NEVER_STARTED));
      if (wasStarted || attempt === MOST_STARTS) throw error;
    }
  }
}

/**
 * Runs SQL as superuser in a database of the planner's server (`planner` when left out).
 *
 * @returns the rows, unaligned: columns by `|`, rows by line
 * @throws Error with psql's own message on the first statement that fails
 */
export async function sql(
  cluster: Cluster,
  namespace: string,
  statements: string,
  database = 'planner',
): Promise<string> {
  const command = [...psqlInPod({ namespace, database }), '-f', '-'];
  const { stdout } = await whenStarted(() => cluster.exec(command, { input: statements }));
  return stdout.trimEnd();
}

/** Runs SQL as superuser in a database of the planner's server, `planner` when left out, and resolves with its rows. */
export type Ask = (statements: string, database?: string) => Promise<string>;

/**
 * One psql for the questions of many tests, one after the other: starting one in a container takes longer than most of
 * them. Between them it is connected to the database `postgres`, where it is in nobody's way. A new one is started when
 * the server, or a statement that failed, has ended it.
 */
export class LastingPsql {
  readonly #open: () => Promise<HeldSession>;
  #session: HeldSession | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(cluster: Cluster, namespace: string) {
    this.#open = () => holdSession(cluster, { namespace, database: 'postgres' });
  }

  /** @throws Error with psql's own message on the first statement that fails */
  ask: Ask = (statements, database = 'planner') => {
    const answer = this.#last.then(async () => {
      if (!this.#session || this.#session.hasEnded()) this.#session = await this.#open();
      const lines = await this.#session.run(`\\connect ${database}\n${statements}\n;\n\\connect postgres\n`);
      return lines.join('\n').trimEnd();
    });
    this.#last = answer.catch(() => undefined);
    return answer;
  };

  async close(): Promise<void> {
    await this.#last;
    await this.#session?.release();
  }
}

/** A session of the test's own on the planner's server, as superuser: it holds locks, or simply is there. */
export interface HeldSession {
  /** Backend process id on the server. */
  pid: number;
  /** Runs a statement and resolves when the server has carried it out. */
  run(statement: string): Promise<string[]>;
  /** Whether psql has ended, by itself or because it was released. */
  hasEnded(): boolean;
  /** Ends the session; what it held is free then. Harmless when the server ended it. */
  release(): Promise<void>;
}

/**
 * Opens a session in the pod of PostgreSQL that stays until it is released.
 *
 * @throws Error with psql's own words when the first statement fails
 */
export function holdSession(
  cluster: Cluster,
  at: { namespace: string; database: string },
  statement = 'SELECT 1',
): Promise<HeldSession> {
  return whenStarted(() => openSession(cluster, at, statement));
}

async function openSession(
  cluster: Cluster,
  at: { namespace: string; database: string },
  statement: string,
): Promise<HeldSession> {
  const [program, ...args] = [...endsWithUs('TERM'), ...cluster.nsenterPrefix, ...psqlInPod(at)] as [
    string,
    ...string[],
  ];
  const child = execa(program, args, { env: cluster.env, stdin: 'pipe', buffer: { stdout: false }, reject: false });
  const lines = createInterface({ input: child.stdout });
  let answer: string[] = [];
  let onAnswer: ((lines: string[]) => void) | undefined;
  lines.on('line', (line) => {
    if (line !== ANSWERED) return void answer.push(line);
    onAnswer?.(answer);
    answer = [];
  });
  let hasEnded = false;
  const ended = child.then(({ stderr }) => {
    hasEnded = true;
    return String(stderr);
  });
  const run = async (text: string): Promise<string[]> => {
    const answered = new Promise<string[]>((resolve) => (onAnswer = resolve));
    child.stdin.write(`${text};\nSELECT '${ANSWERED}';\n`);
    const early = ended.then((stderr) => Promise.reject(new Error(`psql ended before "${text}" was done: ${stderr}`)));
    return Promise.race([answered, early]);
  };
  const [pid] = await run('SELECT pg_catalog.pg_backend_pid()');
  await run(statement);
  return {
    pid: Number(pid),
    run,
    hasEnded: () => hasEnded,
    release: async () => {
      child.stdin.on('error', () => undefined);
      if (!child.stdin.writableEnded) child.stdin.end('\\q\n');
      await ended;
    },
  };
}

const ANSWERED = 'answered';
