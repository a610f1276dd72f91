import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { ControlPlane } from '../../e2e/cluster/control-plane.ts';
import type { KubeClient } from '../../operator/kube/client.ts';
import { writeKubeconfig } from '../api/kubeconfig.ts';
import type { ClusterWatch } from './cluster-watch.ts';
import { differences } from '../differences.ts';
import { readEndState, type EndState } from './end-state.ts';
import { nameOf, type Fault } from '../api/faults.ts';
import { histories, type History, type HistoryName, type Stage } from './histories.ts';
import { createApplication, REPLICAS } from './objects.ts';
import { isReady } from './kubelet.ts';
import { OperatorProcess } from './operator-process.ts';
import type { Gate } from '../pool.ts';
import type { Versions } from '../program.ts';
import { FaultProxy, type PassedCall } from '../api/proxy.ts';
import type { ChartRights } from './rights.ts';
import { Site } from './site.ts';
import { bringNewerBack, versionsOf } from './versions.ts';

/** What all runs of a sweep share. */
export interface Ground {
  plane: ControlPlane;
  client: KubeClient;
  watch: ClusterWatch;
  folder: string;
  /** Those of every operator. */
  rights: ChartRights;
  /** How long nothing may be written after the end. */
  quietMilliseconds: number;
  /** Those that are under way; what only waits for the quiet after its end takes no time of the machine. */
  gate: Gate;
  signal: AbortSignal;
}

export interface AttemptOptions {
  history: HistoryName;
  fault?: Fault;
  versions: Versions;
  /** What the end must be; a reference run has none. */
  reference?: EndState;
  /** A run must be at rest so long after the last fault. */
  restMilliseconds?: number;
}

export interface Attempt {
  id: string;
  /** The fault did something. */
  fired: boolean;
  /** What broke a promise, one sentence each. */
  problems: string[];
  endState: EndState;
  calls: PassedCall[];
  /** From the last fault (without one: from the beginning) until nothing was written any more. */
  settledAfter: number;
  log: string[];
}

/** A run without a fault, on a machine with other things to do. */
const WHOLE_RUN_MILLISECONDS = 120_000;
const LOOK_MILLISECONDS = 200;
/** The API server's own controllers may be behind: garbage collection, a Job's status. */
const CONTROLLERS_MILLISECONDS = 45_000;

let attempts = 0;

/** One history, with one thing that goes wrong or none, in a namespace and with an operator of its own. */
export async function makeAttempt(ground: Ground, options: AttemptOptions): Promise<Attempt> {
  const history: History = histories[options.history];
  attempts += 1;
  const namespace = `attempt-${attempts}`;
  const stage: { current?: Stage } = {};
  const script = history.script(() => stage.current!);
  const { client, watch, signal } = ground;
  const site = new Site({ client, watch, namespace, script, signal });
  const operators: OperatorProcess[] = [];
  const { first, then } = versionsOf(options.fault, options.versions);
  const proxy = await FaultProxy.start({
    plane: ground.plane,
    fault: options.fault,
    kill: async () => {
      if (operators[0]) operators[0].program = then;
      await operators[0]?.kill();
    },
    freeze: () => operators[0]!.freeze(),
    beforeWrite: (call, body) => site.inspect(call, body),
    applicationAnswers: () => site.applicationAnswers(),
  });
  stage.current = { site, begin: () => proxy.begin() };
  const leave = await ground.gate.enter();
  try {
    await createApplication(ground.client, namespace);
    proxy.actsAs(await ground.rights.giveIn(ground.client, namespace));
    while (site.applicationPods().filter(isReady).length < REPLICAS) await site.changed(ground.signal);
    const kubeconfig = await writeKubeconfig(ground.plane, join(ground.folder, namespace), proxy.url);
    const operator = new OperatorProcess({ program: first, kubeconfig, proxyUrl: proxy.url, namespace });
    operators.push(operator);
    const startedAt = Date.now();
    if (options.history === 'success') proxy.begin();
    operator.start();
    const older = startFollowing(ground, options, { site, proxy, operator });
    await history.play(stage.current);
    const rest = await untilAtRest(ground, {
      ...{ site, proxy, history, startedAt, onEnd: leave },
      restMilliseconds: options.restMilliseconds ?? WHOLE_RUN_MILLISECONDS,
    });
    return await judge(options, { site, proxy, operator, rest: [...rest, ...(await older.end())], startedAt });
  } finally {
    leave();
    await operators[0]?.stop();
    proxy.close();
    site.close();
  }
}

/** After a downgrade the newer version comes back in the middle of everything else. */
function startFollowing(
  ground: Ground,
  { fault, versions }: AttemptOptions,
  playing: Parameters<typeof bringNewerBack>[0],
): { end: () => Promise<string[]> } {
  if (fault?.at !== 'Call' || fault.fault !== 'downgrade') return { end: () => Promise.resolve([]) };
  const ending = new AbortController();
  const signal = AbortSignal.any([ending.signal, ground.signal]);
  const following = bringNewerBack(playing, versions.newer, signal);
  following.catch(() => undefined);
  return {
    end: () => {
      // Its call may not have come in this run.
      if (playing.proxy.faultedAt === undefined) ending.abort();
      return following.catch((error: unknown) => (ending.signal.aborted ? [] : Promise.reject(error as Error)));
    },
  };
}

interface Playing {
  site: Site;
  proxy: FaultProxy;
  history: History;
  startedAt: number;
  restMilliseconds: number;
  onEnd: () => void;
}

/** How much longer a late run is watched, to tell late from never. */
const LATE = 2;

/** Waits for the end and for the quiet after it. Returns what was wrong with the way there. */
async function untilAtRest(ground: Ground, playing: Playing): Promise<string[]> {
  const { site, proxy, history, onEnd } = playing;
  let endedAt: number | undefined;
  for (;;) {
    await delay(LOOK_MILLISECONDS, undefined, { signal: ground.signal });
    const now = Date.now();
    endedAt = history.isTerminal(site) ? (endedAt ?? now) : undefined;
    if (endedAt !== undefined) {
      await proxy.passHeld();
      onEnd();
    }
    const lastWrite = lastWriteOf(proxy);
    const [origin, limit] = limitOf(playing);
    const restedAt = Math.max(endedAt ?? now, lastWrite);
    if (endedAt !== undefined && now - restedAt >= ground.quietMilliseconds) {
      const late = restedAt - origin > limit;
      return late
        ? [`it was at rest only ${seconds(restedAt - origin)} after the last fault: ${lastCalls(proxy)}`]
        : [];
    }
    if (now - origin > limit * LATE + ground.quietMilliseconds)
      return [`it was not at rest ${seconds(now - origin)} after the last fault: ${lastCalls(proxy)}`];
  }
}

/** From when on, and how long, a run may take. */
function limitOf({ proxy: { faultedAt }, startedAt, restMilliseconds }: Playing): [number, number] {
  return faultedAt === undefined ? [startedAt, WHOLE_RUN_MILLISECONDS] : [faultedAt, restMilliseconds];
}

function originOf(proxy: FaultProxy, startedAt: number): number {
  return proxy.faultedAt ?? startedAt;
}

function lastWriteOf({ calls }: FaultProxy): number {
  return calls.findLast((call) => call.class !== 'Lease')?.at ?? 0;
}

function lastCalls({ calls }: FaultProxy): string {
  return calls
    .filter((call) => call.class !== 'Lease')
    .slice(-5)
    .map(({ id }) => id)
    .join(', ');
}

interface Played {
  site: Site;
  proxy: FaultProxy;
  operator: OperatorProcess;
  rest: string[];
  startedAt: number;
}

async function judge(options: AttemptOptions, played: Played): Promise<Attempt> {
  const { site, proxy, operator, rest, startedAt } = played;
  const { history, fault, reference } = options;
  let endState = await readEndState(site);
  const until = Date.now() + (rest.length === 0 ? CONTROLLERS_MILLISECONDS : 0);
  while (reference && differences(reference, endState).length > 0 && Date.now() < until) {
    await delay(1000);
    endState = await readEndState(site);
  }
  const problems = [
    ...rest,
    ...site.database.broken,
    ...unexpectedEnds(operator, fault),
    ...(reference ? differences(reference, endState) : []),
  ];
  return {
    id: fault ? `${history}/${nameOf(fault)}` : history,
    fired: proxy.faultedAt !== undefined,
    problems,
    endState,
    calls: proxy.calls,
    settledAfter: lastWriteOf(proxy) - originOf(proxy, startedAt),
    log: operator.log,
  };
}

const LEASE_IS_LOST = ['black-hole', 'freeze', 'freeze-to-end'];

/** An operator that could not renew its Lease ends itself: that is what it must do then, and only then. */
function unexpectedEnds({ ends }: OperatorProcess, fault: Fault | undefined): string[] {
  const mayLose = fault?.at === 'Call' && LEASE_IS_LOST.includes(fault.fault);
  return ends
    .filter((end) => !(mayLose && end.includes('Leadership was lost')))
    .map((end) => `the operator ended by itself with ${end}`);
}

function seconds(milliseconds: number): string {
  return `${Math.round(milliseconds / 1000)} s`;
}
