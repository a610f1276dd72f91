import { createInterface } from 'node:readline';
import { execa } from 'execa';
import { planner } from '../cluster/names.ts';
import type { Cluster } from '../cluster/provider.ts';

/** A session of the test's own on the planner's server, as superuser: it holds locks, or simply is there. */
export interface HeldSession {
  /** Backend process id on the server. */
  pid: number;
  /** Runs a statement and resolves when the server has carried it out. */
  run(statement: string): Promise<string[]>;
  /** Ends the session; what it held is free then. Harmless when the server ended it. */
  release(): Promise<void>;
}

/** Makes the kernel end the command with this process, however that ends. */
const bound = process.platform === 'linux' ? ['setpriv', '--pdeathsig=TERM', '--'] : [];

/**
 * Opens a session in the pod of PostgreSQL that stays until it is released.
 *
 * @throws Error with psql's own words when the first statement fails
 */
export async function holdSession(
  cluster: Cluster,
  at: { namespace: string; database: string },
  statement = 'SELECT 1',
): Promise<HeldSession> {
  const psql = [
    'psql',
    '-X',
    '-q',
    '-A',
    '-t',
    '-v',
    'ON_ERROR_STOP=1',
    '-h',
    '/tmp',
    '-U',
    'postgres',
    '-d',
    at.database,
  ];
  const kubectl = ['kubectl', 'exec', '--quiet', '-i', `--namespace=${at.namespace}`, planner.database.workload, '--'];
  const [program, ...args] = [...bound, ...cluster.nsenterPrefix, ...kubectl, ...psql] as [string, ...string[]];
  const child = execa(program, args, { env: cluster.env, stdin: 'pipe', buffer: { stdout: false }, reject: false });
  const lines = createInterface({ input: child.stdout });
  let answer: string[] = [];
  let onAnswer: ((lines: string[]) => void) | undefined;
  lines.on('line', (line) => {
    if (line !== ANSWERED) return void answer.push(line);
    onAnswer?.(answer);
    answer = [];
  });
  const ended = child.then(({ stderr }) => String(stderr));
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
    release: async () => {
      child.stdin.on('error', () => undefined);
      if (!child.stdin.writableEnded) child.stdin.end('\\q\n');
      await ended;
    },
  };
}

const ANSWERED = 'answered';
