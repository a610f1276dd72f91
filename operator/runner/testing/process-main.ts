import { silentLogger } from '../../kube/logger.ts';
import type { PhaseMigrationRun } from '../../api/resources.ts';
import type { RunnerStatus } from '../../api/phase-migration-run.ts';
import { Superseded } from '../core/failure.ts';
import type { RunPort } from '../port.ts';
import { runRunner } from '../run.ts';
import type { FromRunner, ToRunner } from './process.ts';

/** A runner in a process of its own, whose API server is the test that started it. */

const waiting = new Map<number, { resolve: (run: PhaseMigrationRun) => void; reject: (error: Error) => void }>();
const watchers = new Set<(run: PhaseMigrationRun) => void>();
let lastId = 0;

function send(message: FromRunner): void {
  process.send?.(message);
}

function ask(question: { what: 'get' } | { what: 'write'; status: RunnerStatus }): Promise<PhaseMigrationRun> {
  const id = ++lastId;
  return new Promise((resolve, reject) => {
    waiting.set(id, { resolve, reject });
    send({ ...question, id });
  });
}

const write = async (status: RunnerStatus) => void (await ask({ what: 'write', status }));

const port: RunPort = {
  get: () => ask({ what: 'get' }),
  watch: (onChange, signal) => {
    watchers.add(onChange);
    signal.addEventListener('abort', () => watchers.delete(onChange), { once: true });
    ask({ what: 'get' }).then(onChange, () => undefined);
  },
  claim: write,
  report: write,
};

process.on('message', (message: ToRunner) => {
  switch (message.what) {
    case 'start':
      return start(message);
    case 'changed':
      return watchers.forEach((tell) => tell(message.run));
    case 'answer':
      return answer(message);
  }
});

function answer({ id, run, superseded }: Extract<ToRunner, { what: 'answer' }>): void {
  const asked = waiting.get(id);
  waiting.delete(id);
  if (superseded) asked?.reject(new Superseded(superseded));
  else asked?.resolve(run);
}

function start({ options }: Extract<ToRunner, { what: 'start' }>): void {
  runRunner({
    ...options,
    databaseUrl: () => options.databaseUrl,
    port,
    logger: silentLogger,
    signal: new AbortController().signal,
  }).then(
    (end) => send({ what: 'ended', end }),
    (error: Error) => send({ what: 'ended', end: `threw ${error.stack}` }),
  );
}
