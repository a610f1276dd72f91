import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Progress } from '../cluster/progress.ts';
import type { Cluster } from '../cluster/provider.ts';

/** A PhaseMigration as the demonstration tells of it. */
export interface Seen {
  phase: string;
  step: string;
  runName: string;
  reason: string;
  message: string;
  finished: boolean;
}

const columns = [
  '{.status.phase}',
  '{.status.currentStep}',
  '{.status.runName}',
  '{.status.conditions[?(@.type=="Ready")].reason}',
  '{.status.conditions[?(@.type=="Reconciling")].status}',
  '{.status.conditions[?(@.type=="Ready")].message}',
];
const template = `${columns.join('{"\\t"}')}{"\\n"}`;

/**
 * Watches a PhaseMigration until the run that comes after `previousRun` has ended; tells every new sentence.
 *
 * @throws Error with the last sentence when it has not ended after `seconds`
 */
export async function follow(
  cluster: Cluster,
  what: { namespace: string; name: string; previousRun?: string; seconds?: number },
  progress: Progress,
): Promise<Seen> {
  const command = [
    ...cluster.nsenterPrefix,
    'kubectl',
    '-n',
    what.namespace,
    'get',
    'pm',
    what.name,
    '--watch',
    '-o',
    `jsonpath=${template}`,
  ];
  const [program = '', ...args] = command;
  const child = spawn(program, args, { env: { ...process.env, ...cluster.env }, stdio: ['ignore', 'pipe', 'inherit'] });
  const seconds = what.seconds ?? 300;
  let last: Seen | undefined;
  let late = false;
  const limit = setTimeout(() => {
    late = true;
    child.kill();
  }, seconds * 1000);
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      const seen = parse(line);
      if (seen.runName === (what.previousRun ?? '')) continue;
      if (seen.message && seen.message !== last?.message) progress(seen.message);
      last = seen;
      if (seen.finished) return seen;
    }
  } finally {
    clearTimeout(limit);
    child.kill();
  }
  const ending = late ? `has not ended after ${seconds} s` : 'could not be watched any longer';
  throw new Error(`PhaseMigration ${what.name} ${ending}: ${last?.message ?? 'it has no status'}`);
}

function parse(line: string): Seen {
  const [phase = '', step = '', runName = '', reason = '', reconciling = '', message = ''] = line.split('\t');
  const ended = ['Succeeded', 'Failed', 'RolledBack', 'NeedsHuman'].includes(phase);
  return { phase, step, runName, reason, message, finished: ended && reconciling !== 'True' };
}
