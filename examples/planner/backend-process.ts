import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { field, type Answer, type Json } from './api-client.ts';

/** A backend in a process of its own, as in a container. */
export interface Backend {
  readonly process: ChildProcess;
  readonly url: string;
  /** What it has written so far, one line of JSON a message. */
  readonly log: string[];
  get(path: string, token?: string): Promise<Answer>;
  /** Asks until the answer has this status; the caller's test timeout is the limit. */
  until(path: string, status: number): Promise<Answer>;
  /** Sends the signal and resolves with the exit code and how long the end took. */
  end(signal?: NodeJS.Signals): Promise<{ code: number | null; milliseconds: number }>;
}

/** Starts `VERSION/main.ts` on a free port; resolves when it listens, rejects with its log when it ends before. */
export async function startBackend(version: 'v1' | 'v2', environment: Record<string, string>): Promise<Backend> {
  const main = fileURLToPath(new URL(`${version}/main.ts`, import.meta.url));
  const child = spawn(process.execPath, [main], {
    env: { PORT: '0', ...environment },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit') as Promise<[number | null]>;
  const log: string[] = [];
  const lines = createInterface({ input: child.stdout });
  const port = await new Promise<number>((resolve, reject) => {
    lines.on('line', (line) => {
      log.push(line);
      const listening = field(JSON.parse(line) as Json, 'port');
      if (typeof listening === 'number') resolve(listening);
    });
    lines.on('close', () => reject(new Error(`The backend ended before it listened: ${log.join('\n')}`)));
  });

  const url = `http://127.0.0.1:${port}`;
  const get = async (path: string, token?: string): Promise<Answer> => {
    const response = await fetch(url + path, token ? { headers: { authorization: `Bearer ${token}` } } : {});
    return { status: response.status, body: (await response.json()) as Json };
  };
  return {
    process: child,
    url,
    log,
    get,
    until: async (path, status) => {
      for (;;) {
        const answer = await get(path);
        if (answer.status === status) return answer;
      }
    },
    end: async (signal = 'SIGTERM') => {
      const begin = performance.now();
      if (child.exitCode === null) child.kill(signal);
      const [code] = await exited;
      return { code, milliseconds: performance.now() - begin };
    },
  };
}
