import { spawn, type ChildProcess } from 'node:child_process';
import { dirname } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Direction } from './core/migrations.ts';
import { messageOf } from '../kube/message-of.ts';
import { describeDatabaseError, sqlState, type Session } from './postgres/session.ts';
import { judgeInTransaction } from './sql.ts';

/**
 * The program that a migration module runs in. It has no database connection, no environment, and may read no file but
 * the migrations: what is written by users must not get at the runner's ServiceAccount or password. Every query goes
 * back to the runner and is carried out on its one session.
 */
const HOST = `
let next = 0;
const waiting = new Map();
process.on('message', ({ id, result, error }) => {
  const { resolve, reject } = waiting.get(id);
  waiting.delete(id);
  if (error) reject(Object.assign(new Error(error.message), error));
  else resolve(result);
});
const client = {
  query: (text, values) => new Promise((resolve, reject) => {
    const id = next++;
    waiting.set(id, { resolve, reject });
    process.send({ id, ...(typeof text === 'string' ? { text, values } : { text: text.text, values: text.values ?? values }) });
  }),
};
const [url, direction] = process.argv.slice(1);
try {
  const module = await import(url);
  if (typeof module[direction] !== 'function') throw new Error('it exports no function ' + direction);
  await module[direction]({ client });
  process.send({ done: true });
} catch (error) {
  process.send({ done: true, error: { message: String(error?.message ?? error), code: error?.code } });
}
process.disconnect();
`;

type Message =
  | { done: true; error?: { message: string; code?: string } }
  | { done?: undefined; id: number; text: unknown; values?: unknown[] };

export interface ModuleRun {
  path: string;
  direction: Direction;
  /** The session is in the runner's transaction, which no statement of the module may end. */
  transactional: boolean;
}

/**
 * Runs `up` or `down` of a migration module on the session.
 *
 * @throws Error with the module's own message, or what it was refused
 */
export async function runModule(session: Session, run: ModuleRun): Promise<void> {
  const { path, direction } = run;
  const permissions = ['--permission', `--allow-fs-read=${dirname(path)}`];
  const args = [
    ...permissions,
    '--input-type=module',
    '--no-warnings',
    '-e',
    HOST,
    '--',
    pathToFileURL(path).href,
    direction,
  ];
  const child = spawn(process.execPath, args, {
    env: {},
    cwd: '/',
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    serialization: 'advanced',
  });
  try {
    await converse(session, child, run);
  } finally {
    child.kill('SIGKILL');
  }
}

/**
 * What a module may say on the runner's session.
 *
 * @throws Refused what would take effect although the migration fails
 */
async function permitted(text: unknown, { transactional }: ModuleRun): Promise<string> {
  if (typeof text !== 'string') throw new Refused('the text of a query must be a string');
  const wrong = transactional ? await judgeInTransaction(text) : undefined;
  if (wrong) throw new Refused(`${wrong}, or take the migration out of it: export const transaction = false`);
  return text;
}

class Refused extends Error {}

function converse(session: Session, child: ChildProcess, run: ModuleRun): Promise<void> {
  let complaint = '';
  const LONGEST_COMPLAINT = 2000;
  child.stderr?.on('data', (text: Buffer) => (complaint = (complaint + text.toString()).slice(-LONGEST_COMPLAINT)));
  return new Promise((resolve, reject) => {
    // A lost connection counts more than what the module makes of it, and what is refused it cannot do without.
    let lost: Error | undefined;
    let refused: Refused | undefined;
    // One after the other in the module's order, whether it waits for them or not.
    let previous: Promise<unknown> = Promise.resolve();
    const afterThose = (act: () => void) => void previous.then(act, act);
    child.on('message', (message: Message) => {
      if (message.done)
        return afterThose(() => {
          const failure = refused ?? (message.error && (lost ?? new Error(message.error.message)));
          if (failure) reject(failure);
          else resolve();
        });
      const { id, text, values } = message;
      const answer = previous.then(async () => session.forModule(await permitted(text, run), values));
      previous = answer.catch(() => undefined);
      answer.then(
        (result) => child.connected && child.send({ id, result }),
        (error: Error) => {
          if (error instanceof Refused) refused ??= error;
          else if (sqlState(error) === undefined) lost = error;
          if (child.connected)
            child.send({ id, error: { message: describeDatabaseError(error), code: sqlState(error) } });
        },
      );
    });
    child.on('error', (error) => reject(new Error(`it could not be started: ${messageOf(error)}`)));
    child.on('exit', () =>
      afterThose(() => reject(refused ?? lost ?? new Error(`it ended without an answer. ${complaint}`.trim()))),
    );
  });
}
