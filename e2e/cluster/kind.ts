import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { claimState, lockOf, removeAbandoned } from './abandoned.ts';
import { run, type CommandOptions } from './command.ts';
import { canPull, hasDockerEngine } from './docker.ts';
import { machineEngine, type Engine } from './engine.ts';
import { contentHash } from './hash.ts';
import { ownIdentity, type Identity } from './identity.ts';
import { kindConfig, kindRecipe } from './kind-config.ts';
import { withLock } from './lock.ts';
import { answerOutsideNames, corefile } from './offline/cluster-names.ts';
import { hasRemains, runningEngine, startEngine, stopEngine } from './offline/engine/docker-daemon.ts';
import { ensurePrograms, moduleSources } from './offline/go-build.ts';
import { ensureNodeImage, nodeImageKey } from './offline/node-image.ts';
import type { Progress } from './progress.ts';
import type { Cluster } from './cluster.ts';
import { executor, toolEnvironment } from './tools.ts';

/** A kind cluster of this clone, at whatever stage it is. */
interface Context {
  identity: Identity;
  engine: Engine;
  kind: string;
  kubeconfig: string;
}

/** Brings the clone's kind cluster up, or finds it up; see `openCluster`. */
export async function openKind(progress: Progress): Promise<Cluster> {
  const identity = ownIdentity();
  await removeAbandoned(progress);
  return withLock(lockOf(identity), progress, async () => {
    await claimState(identity);
    const context = await contextOf(identity, await openEngine(identity, progress), progress);
    if (!(await isReady(context, OPEN_PATIENCE_SECONDS, progress))) await create(context, progress);
    // A test that loses the node may have been killed in the middle.
    else await inEngine(context, ['docker', 'exec', nodeOf(identity), 'systemctl', 'start', 'kubelet']);
    return clusterOf(context, progress);
  });
}

/** Builds what `openKind` would have to build first: kind, and a node image where none can be pulled. */
export async function buildKind(progress: Progress): Promise<void> {
  await ensurePrograms(['kind', 'kubectl', 'helm'], progress);
  if ((await hasDockerEngine()) && (await canPull(await publishedNodeImage()))) return;
  await ensureNodeImage(progress);
}

/** The clone's kind cluster when it is up; undefined otherwise. Changes nothing. */
export async function findKind(progress: Progress): Promise<Cluster | undefined> {
  const identity = ownIdentity();
  if (!existsSync(readyFileOf(identity))) return undefined;
  const engine = (await runningEngine(identity)) ?? ((await hasDockerEngine()) ? machineEngine : undefined);
  if (!engine) return undefined;
  const context = await contextOf(identity, engine, progress);
  return (await isReady(context, FIND_PATIENCE_SECONDS, progress)) ? clusterOf(context, progress) : undefined;
}

/** Whether anything of the clone's kind cluster is there, its engine or its node, whatever state it is in. */
export async function isHalfMade(): Promise<boolean> {
  const identity = ownIdentity();
  if (await hasRemains(identity)) return true;
  if (!(await hasDockerEngine())) return false;
  const named = ['--filter', `name=^${nodeOf(identity)}$`, '--format', '{{.Names}}'];
  return (await run(['docker', 'container', 'ls', '--all', ...named], { allowFailure: true })).stdout.trim() !== '';
}

/** Removes the clone's kind cluster, and the engine if it was started for it, at whatever stage they are. */
export function removeKind(progress: Progress): Promise<void> {
  const identity = ownIdentity();
  return withLock(lockOf(identity), progress, async () => {
    await rm(readyFileOf(identity), { force: true });
    const own = await runningEngine(identity);
    const engine = own ?? ((await hasDockerEngine()) ? machineEngine : undefined);
    if (engine) await deleteCluster(await contextOf(identity, engine, progress), progress);
    if (!(await hasRemains(identity))) return;
    progress('stopping the Docker engine');
    await stopEngine(identity);
  });
}

/** Written when a cluster is complete, taken away before anything is changed: what lies between is half-made. */
const readyFileOf = (identity: Identity) => join(identity.stateFolder, 'ready');
/** The name that kind gives the node's container. */
const nodeOf = (identity: Identity) => `${identity.name}-control-plane`;
const loadedFolderOf = (identity: Identity) => join(identity.stateFolder, 'loaded');

async function openEngine(identity: Identity, progress: Progress): Promise<Engine> {
  const own = await runningEngine(identity);
  if (own) return own;
  return (await hasDockerEngine()) ? machineEngine : startEngine(identity, progress);
}

async function contextOf(identity: Identity, engine: Engine, progress: Progress): Promise<Context> {
  const { kind } = await ensurePrograms(['kind'], progress);
  return { identity, engine, kind, kubeconfig: join(identity.stateFolder, 'kubeconfig') };
}

function inEngine(context: Context, command: string[], options: CommandOptions = {}) {
  const env = { ...context.engine.env, KIND_EXPERIMENTAL_PROVIDER: 'docker', ...options.env };
  return run([...context.engine.nsenterPrefix, ...command], { ...options, env });
}

const kindCommand = (context: Context, args: string[], options?: CommandOptions) =>
  inEngine(context, [context.kind, ...args, '--name', context.identity.name], options);

/**
 * A busy machine's API server may fail a health check for some seconds: a cluster whose node runs is given time before
 * it is taken for broken, because what follows from that is that it is removed.
 */
const OPEN_PATIENCE_SECONDS = 90;
const FIND_PATIENCE_SECONDS = 15;

async function isReady(context: Context, patienceSeconds: number, progress: Progress): Promise<boolean> {
  const recorded = await readFile(readyFileOf(context.identity), 'utf8').catch(() => '');
  if (recorded !== (await recipe())) return false;
  const node = nodeOf(context.identity);
  const ask = (question: string[]) => inEngine(context, ['docker', ...question], { allowFailure: true });
  const deadline = Date.now() + patienceSeconds * 1000;
  for (let first = true; ; first = false) {
    const { stdout } = await ask(['container', 'inspect', '--format', '{{.State.Running}}', node]);
    if (stdout.trim() !== 'true') return false;
    const answer = await ask(['exec', node, 'kubectl', 'get', '--raw', '/readyz', '--request-timeout=10s']);
    if (answer.code === 0) return true;
    if (Date.now() > deadline) return false;
    if (first) progress('waiting for the API server');
    await delay(500);
  }
}

/** What a cluster was made after; one that was made after something else is made anew. */
async function recipe(): Promise<string> {
  return contentHash([...(await kindRecipe()), corefile, await nodeImageKey()]);
}

async function create(context: Context, progress: Progress): Promise<void> {
  const { identity } = context;
  await rm(readyFileOf(identity), { force: true });
  await rm(loadedFolderOf(identity), { recursive: true, force: true });
  const image = await nodeImage(context, progress);
  await deleteCluster(context, progress);
  progress('creating the kind cluster');
  const onLine = (line: string) => {
    const stage = /^ • (.*?)[^\w)]*$/.exec(line)?.[1];
    if (stage) progress(`kind: ${stage}`);
  };
  const flags = ['--config', '-', '--image', image, '--kubeconfig', context.kubeconfig, '--wait', '120s'];
  await kindCommand(context, ['create', 'cluster', ...flags], { onLine, input: await kindConfig() });
  await settle(context, progress);
  await writeFile(readyFileOf(identity), await recipe());
}

/** Waits for what kind does not wait for: without it the first pod finds no names and the first claim no volume. */
async function settle(context: Context, progress: Progress): Promise<void> {
  const cluster = await clusterOf(context, progress);
  const exec = (command: string[]) => cluster.exec(command);
  if (context.engine.isOwn) await answerOutsideNames(exec);
  progress('waiting for cluster DNS and volumes');
  const rollout = ['kubectl', 'rollout', 'status', '--timeout=180s'];
  await exec([...rollout, '--namespace=kube-system', 'deployment/coredns']);
  await exec([...rollout, '--namespace=local-path-storage', 'deployment/local-path-provisioner']);
}

async function deleteCluster(context: Context, progress: Progress): Promise<void> {
  const { stdout } = await inEngine(context, [context.kind, 'get', 'clusters', '--quiet'], { allowFailure: true });
  if (!stdout.split('\n').includes(context.identity.name)) return;
  progress('removing the kind cluster');
  await kindCommand(context, ['delete', 'cluster', '--kubeconfig', context.kubeconfig]);
}

/** The public image where there is a way to it, otherwise one put together here. */
async function nodeImage(context: Context, progress: Progress): Promise<string> {
  const published = await publishedNodeImage();
  if (!context.engine.isOwn) {
    progress(`looking for the node image ${published.split('@')[0]}`);
    if (await canPull(published)) return published;
  }
  const { name, archive } = await ensureNodeImage(progress);
  const present = await inEngine(context, ['docker', 'image', 'inspect', name], { allowFailure: true });
  if (present.code !== 0) {
    progress('loading the node image into the engine');
    await inEngine(context, ['docker', 'load', '--quiet', '--input', archive]);
  }
  return name;
}

/** The node image that this version of kind is released with, by its digest. */
async function publishedNodeImage(): Promise<string> {
  const file = join(await moduleSources('kind', 'sigs.k8s.io/kind'), 'pkg/apis/config/defaults/image.go');
  const image = /^const Image = "(.+)"$/m.exec(await readFile(file, 'utf8'))?.[1];
  if (!image) throw new Error(`kind no longer names its node image in ${file}.`);
  return image;
}

async function clusterOf(context: Context, progress: Progress): Promise<Cluster> {
  const { engine, identity, kubeconfig } = context;
  const env = await toolEnvironment(kubeconfig, progress);
  return {
    name: identity.name,
    provider: 'kind',
    kubeconfig,
    nsenterPrefix: engine.nsenterPrefix,
    env,
    exec: executor(engine.nsenterPrefix, env),
    inNode: (command) => inEngine(context, ['docker', 'exec', nodeOf(identity), ...command]),
    loadImages: async (archives) => {
      for (const archive of archives) await loadImage(context, archive);
    },
    down: () => removeKind(progress),
  };
}

/** Archives from `buildImage` lie in a folder named after their content; such a one is loaded once per cluster. */
async function loadImage(context: Context, archive: string): Promise<void> {
  const mark = join(loadedFolderOf(context.identity), `${basename(dirname(archive))}-${basename(archive)}`);
  if (existsSync(mark)) return;
  await kindCommand(context, ['load', 'image-archive', archive]);
  await mkdir(dirname(mark), { recursive: true });
  await writeFile(mark, '');
}
