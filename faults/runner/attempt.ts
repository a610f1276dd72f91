import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { PhaseMigrationRun } from '../../operator/api/resources.ts';
import { messageOf } from '../../operator/kube/message-of.ts';
import { expectExactly } from '../../operator/runner/testing/exactly.ts';
import { conduct } from '../../operator/runner/testing/operator.ts';
import { Scenario } from '../../operator/runner/testing/scenario.ts';
import type { Fault } from '../api/faults.ts';
import { writeKubeconfig } from '../api/kubeconfig.ts';
import { FaultProxy, type PassedCall } from '../api/proxy.ts';
import { differences } from '../differences.ts';
import type { Ground } from './ground.ts';
import { histories, type History, type HistoryName } from './histories.ts';
import { RunnerProcess } from './runner-process.ts';
import { ServedRun } from './served-run.ts';

export interface AttemptOptions {
  history: HistoryName;
  fault?: Fault;
  /** The bundled runner. */
  program: string;
  /** What the end must be; a reference run has none. */
  reference?: EndState;
  /** A run must be at its end so long after the last fault. */
  restMilliseconds?: number;
}

export interface Attempt {
  /** The fault did something. */
  fired: boolean;
  /** What broke a promise, one sentence each. */
  problems: string[];
  endState: EndState;
  calls: PassedCall[];
  /** From the last fault (without one: from the beginning) until the runner had ended. */
  settledAfter: number;
  log: string[];
}

/** What the run says of itself in the end, without what differs from run to run. */
export type EndState = Record<string, unknown>;

const LOG_LINES = 60;
/** A run without a fault, on a machine with other things to do. */
const WHOLE_RUN_MILLISECONDS = 120_000;
const LOOK_MILLISECONDS = 200;

/** What people give `--only`: `runner/success/patch-run-status.3:kill-after`. */
export const PREFIX = 'runner/';

/** One history, with one thing that goes wrong between the runner and the API server or none. */
export async function makeAttempt(ground: Ground, options: AttemptOptions): Promise<Attempt> {
  const history: History = histories[options.history];
  const scenario = await Scenario.create(ground.server, history.options);
  const following = new AbortController();
  try {
    const signal = AbortSignal.any([following.signal, ground.signal]);
    const served = await ServedRun.create(ground.client, scenario.memory.run, signal);
    return await play(ground, options, { scenario, served });
  } finally {
    following.abort();
    await scenario.end();
  }
}

interface Stage {
  scenario: Scenario;
  served: ServedRun;
}

async function play(ground: Ground, options: AttemptOptions, { scenario, served }: Stage): Promise<Attempt> {
  const history: History = histories[options.history];
  const log: string[] = [];
  let current: RunnerProcess | undefined;
  const kill = async () => current?.kill();
  const proxy = await FaultProxy.start({ plane: ground.plane, fault: options.fault, kill });
  proxy.begin();
  const { name, namespace = '' } = served.run.metadata;
  const kubeconfig = await writeKubeconfig(ground.plane, join(ground.folder, name), proxy.url);
  const start = (epoch: number) => {
    const { url: databaseUrl, folders } = scenario;
    const onLine = (line: string) => {
      log.push(line);
      if (log.length > LOG_LINES) log.shift();
    };
    const { program } = options;
    current = new RunnerProcess({
      ...{ program, kubeconfig, epoch, databaseUrl, folders, onLine },
      run: { namespace, name },
    });
    return current;
  };
  const operator = conduct({ memory: served }, history.wishes?.(scenario) ?? {});
  const startedAt = Date.now();
  const watch = new AbortController();
  try {
    const problems = await Promise.race([
      carryThrough(start, served, watch.signal),
      operator.failed.catch((error: unknown) => [`the way back failed: ${messageOf(error)}`]),
      tooLate({
        proxy,
        startedAt,
        restMilliseconds: options.restMilliseconds,
        signal: AbortSignal.any([watch.signal, ground.signal]),
      }),
    ]);
    await proxy.passHeld();
    const settledAfter = Date.now() - (proxy.faultedAt ?? startedAt);
    const endState = endStateOf(await served.read());
    problems.push(...served.failures, ...(await notExactly({ scenario, served }, history)));
    if (options.reference) problems.push(...differences(options.reference, endState));
    return { fired: proxy.faultedAt !== undefined, problems, endState, calls: proxy.calls, settledAfter, log };
  } finally {
    watch.abort();
    operator.stop();
    await kill();
    proxy.close();
  }
}

/** As the operator does: one start after the other, until one ends because its work is done. */
async function carryThrough(
  start: (epoch: number) => RunnerProcess,
  served: ServedRun,
  signal: AbortSignal,
): Promise<string[]> {
  for (let epoch = 1; ; epoch++) {
    const runner = start(epoch);
    const end = await runner.ended;
    if (signal.aborted) return [];
    if (!runner.wasKilled) return end === 0 ? [] : [`the runner ended by itself with ${end}`];
    served.setEpoch(epoch + 1);
    await served.settled();
  }
}

interface Patience {
  proxy: FaultProxy;
  startedAt: number;
  restMilliseconds?: number;
  signal: AbortSignal;
}

/** Also resolves, with nothing, when everything is broken off. */
async function tooLate({ proxy, startedAt, restMilliseconds, signal }: Patience): Promise<string[]> {
  for (;;) {
    await delay(LOOK_MILLISECONDS, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return [];
    const limit = proxy.faultedAt === undefined ? WHOLE_RUN_MILLISECONDS : restMilliseconds;
    const passed = Date.now() - (proxy.faultedAt ?? startedAt);
    if (limit !== undefined && passed > limit)
      return [`it was not at its end ${Math.round(passed / 1000)} s after the last fault`];
  }
}

function endStateOf({ spec, status }: PhaseMigrationRun): EndState {
  const { reachedGoal, databaseChanged, clientWrites, revision, steps } = status?.runner ?? {};
  return {
    goal: spec.goal,
    ...{ reachedGoal, databaseChanged, clientWrites, revision },
    steps: steps?.map(({ name, state }) => `${name}=${state}`),
  };
}

async function notExactly({ scenario, served }: Stage, { end }: History): Promise<string[]> {
  scenario.memory.run = served.run;
  try {
    await expectExactly(scenario, end);
    return [];
  } catch (error) {
    return [messageOf(error)];
  }
}
