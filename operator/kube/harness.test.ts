/** What the tests on a real API server share; it has no tests of its own. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startControlPlane, type ControlPlane } from '../../e2e/cluster/control-plane.ts';
import { startService, type Service } from '../../e2e/cluster/service.ts';
import { KubeClient, type ApiError } from './client.ts';
import { CustomResourceDefinition, Namespace } from './resource-types.ts';
import type { KubeObject, ResourceType } from './types.ts';

/** A kind of our own, with a status subresource. */
export interface Widget extends KubeObject {
  spec: { size?: number; colour?: string; text?: string };
  status?: { state?: string };
}

export const Widget: ResourceType<Widget> = {
  group: 'test.phasemigration.io',
  version: 'v1',
  kind: 'Widget',
  plural: 'widgets',
  namespaced: true,
};

export function widget(namespace: string, name: string, spec: Widget['spec'] = {}): Widget {
  return { apiVersion: 'test.phasemigration.io/v1', kind: 'Widget', metadata: { namespace, name }, spec };
}

export interface Harness {
  plane: ControlPlane;
  client: KubeClient;
  /** Kills the API server and resolves when its process is gone. */
  killApiServer(): Promise<void>;
  /** Starts a killed API server again, on the same port and data; resolves when it is ready. */
  startApiServer(extraArguments?: string[]): Promise<void>;
  /** Has etcd forget every state but the present one. Blocks, so that it can be done in the middle of anything. */
  compact(): void;
  stop(): Promise<void>;
}

/** A control plane with the Widget kind in it. */
export async function startHarness(): Promise<Harness> {
  const plane = await startControlPlane({ controllerManager: false });
  try {
    return await prepare(plane);
  } catch (error) {
    await plane.stop();
    throw error;
  }
}

async function prepare(plane: ControlPlane): Promise<Harness> {
  const client = KubeClient.fromKubeconfig(plane.kubeconfig);
  await client.create(CustomResourceDefinition, widgetDefinition());
  await until(() => client.list(Widget).then(Boolean, () => false), 'widgets are served');
  const etcd = argumentsOf(processListening('etcd', dirname(plane.kubeconfig)));
  const etcdUrl = etcd.find((argument) => argument.startsWith('--listen-client-urls='))?.split('=')[1] ?? '';
  const port = new URL(plane.url).port;
  let command: string[] = [];
  let restarted: Service | undefined;
  return {
    plane,
    client,
    killApiServer: async () => {
      const pid = processListening('kube-apiserver', `--secure-port=${port}`);
      if (command.length === 0) command = argumentsOf(pid);
      process.kill(pid, 'SIGKILL');
      await until(() => !answersSignals(pid) || isZombie(pid), 'the API server is gone');
    },
    startApiServer: async (extraArguments = []) => {
      const [program = '', ...usual] = command;
      const args = [...usual, ...extraArguments];
      const logFile = join(dirname(plane.kubeconfig), 'kube-apiserver-again.log');
      const name = 'kube-apiserver';
      restarted = await startService({ name, command: program, args, logFile, onOwnerDeath: 'KILL' });
      await restarted.waitUntil(() => isReady(plane), 60_000);
    },
    compact: () => {
      const post = (path: string, body: object): string =>
        execFileSync('curl', ['-sS', '-f', '-d', JSON.stringify(body), etcdUrl + path], { encoding: 'utf8' });
      // The state at the compacted revision itself stays readable: one more must follow on what is there.
      const put = JSON.parse(post('/v3/kv/put', { key: 'L3Rlc3Q=', value: '' })) as { header: { revision: string } };
      post('/v3/kv/compaction', { revision: put.header.revision, physical: true });
    },
    stop: async () => {
      client.close();
      await restarted?.stop('SIGKILL');
      await plane.stop();
    },
  };
}

/** Makes an empty namespace and returns its name. */
export async function newNamespace(client: KubeClient): Promise<string> {
  const metadata = { generateName: 'test-' } as Namespace['metadata'];
  return (await client.create(Namespace, { apiVersion: 'v1', kind: 'Namespace', metadata })).metadata.name;
}

/** Asks until the answer is yes; fails after some seconds, saying what did not come to pass. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
  milliseconds = 20_000,
): Promise<void> {
  const deadline = performance.now() + milliseconds;
  while (!(await condition())) {
    if (performance.now() > deadline)
      throw new Error(`After ${milliseconds / 1000} s it is still not true that ${what}.`);
    await delay(10);
  }
}

/** What a call that must fail throws. */
export async function errorFrom(promise: Promise<unknown>): Promise<ApiError> {
  return promise.then(
    () => {
      throw new Error('It succeeded, but should have failed.');
    },
    (error: unknown) => error as ApiError,
  );
}

/** Does the same for every item, some at a time. */
export async function eachOf<T>(items: T[], work: (item: T) => Promise<unknown>, atATime = 20): Promise<void> {
  const queue = [...items];
  const worker = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: atATime }, worker));
}

function widgetDefinition(): CustomResourceDefinition {
  const { group, kind, plural, version } = Widget;
  const spec = {
    type: 'object',
    properties: { size: { type: 'integer', minimum: 0 }, colour: { type: 'string' }, text: { type: 'string' } },
  };
  const status = { type: 'object', properties: { state: { type: 'string' } } };
  const schema = { openAPIV3Schema: { type: 'object', properties: { spec, status } } };
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      names: { kind, plural },
      scope: 'Namespaced',
      versions: [{ name: version, served: true, storage: true, schema, subresources: { status: {} } }],
    },
  };
}

/** The one process of this test run whose command line holds both texts. */
function processListening(program: string, argument: string): number {
  const found = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .find((pid) => {
      const [command = '', ...args] = argumentsOf(pid);
      return command.endsWith(program) && args.some((each) => each.includes(argument));
    });
  if (found === undefined) throw new Error(`No ${program} with ${argument} is running.`);
  return found;
}

function argumentsOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').filter(Boolean);
  } catch {
    // It ended between the directory's listing and now.
    return [];
  }
}

function answersSignals(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** Dead and not reaped, with every thread: as long as one of them is dying it may hold the port open. */
function isZombie(pid: number): boolean {
  try {
    const state = /\) (\w) /.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1];
    return state === 'Z' && readdirSync(`/proc/${pid}/task`).length === 1;
  } catch {
    return true;
  }
}

async function isReady(plane: ControlPlane): Promise<boolean> {
  const client = KubeClient.fromKubeconfig(plane.kubeconfig);
  try {
    await client.list(Widget);
    return true;
  } catch {
    return false;
  } finally {
    client.close();
  }
}
