import { existsSync } from 'node:fs';
import { chmod, cp, link, mkdir, mkdtemp, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { run } from '../command.ts';
import { contentHash } from '../hash.ts';
import { cacheFolder } from '../paths.ts';
import type { Progress } from '../progress.ts';
import { baseRecipe, ensureBaseImage } from './base-image.ts';
import { kubernetesVersion, type ProgramName } from './binaries.ts';
import { buildah, withImageStore } from './buildah.ts';
import { mayExceedResourceLimits } from './capabilities.ts';
import { ensurePrograms, moduleSources, programFiles } from './go-build.ts';
import { bridgeNetwork, nothingToApply, volumeProvisioner } from './node-manifests.ts';
import { ensureSystemPackages } from './system-packages.ts';

/** Names of the images that only this node image has. */
const localImages = {
  volumeProvisioner: 'phase-migration/local-path-provisioner:v0.0.30',
  shell: 'phase-migration/busybox:v1',
};

const programs = [
  'etcd',
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'kube-proxy',
  'kubelet',
  'kubeadm',
  'kubectl',
  'coredns',
  'local-path-provisioner',
] as const satisfies ProgramName[];

type Programs = Record<(typeof programs)[number], string>;

export interface NodeImage {
  /** Tag that `kind create cluster --image` takes once the archive is loaded. */
  name: string;
  /** Docker-archive with it. */
  archive: string;
}

/**
 * Puts kind's node image together without a registry (see README.md beside this file), once: about a minute after the
 * programs are built.
 */
export async function ensureNodeImage(progress: Progress): Promise<NodeImage> {
  await ensureSystemPackages(['busybox-static', 'mmdebstrap', 'buildah'], progress);
  const built = await ensurePrograms(programs, progress);
  const key = await nodeImageKey();
  const name = `phase-migration-node:${key}`;
  const archive = join(cacheFolder(), 'images', 'node', `${key}.tar`);
  if (!existsSync(archive))
    await withImageStore(progress, async () => {
      if (!existsSync(archive)) await assemble(built, { name, archive }, progress);
    });
  return { name, archive };
}

/**
 * Changes with everything that the node image depends on: the programs by their paths, which are named after their own
 * sources, and what is written into it.
 */
export async function nodeImageKey(): Promise<string> {
  const recipes = ['node/Dockerfile', 'images/Dockerfile', 'go/kind/go.mod'].map((file) =>
    join(import.meta.dirname, file),
  );
  const texts = await Promise.all(recipes.map((file) => readFile(file)));
  const written = [bridgeNetwork(), nothingToApply(), await volumeProvisioner(localImages)];
  const limits = String(await mayExceedResourceLimits());
  return contentHash([
    ...Object.values(await programFiles(programs)),
    ...texts,
    ...written,
    baseRecipe,
    limits,
    layout,
  ]);
}

/** To be counted up when `assemble` lays the node out in another way. */
const layout = '1';

async function assemble(built: Programs, image: NodeImage, progress: Progress): Promise<void> {
  const folder = dirname(image.archive);
  await mkdir(folder, { recursive: true });
  await removeUnfinished(folder);
  // Beside the programs, so that they can be linked instead of copied.
  const context = await mkdtemp(join(folder, 'unfinished-'));
  await ensureBaseImage('trixie', progress);
  await writeClusterImages(built, context, progress);
  progress('putting the node image of kind together');
  await writeNodeFiles(built, join(context, 'root'));
  const dockerfile = join(import.meta.dirname, 'node', 'Dockerfile');
  await buildah(['bud', '--pull-never', '--network=host', '--tag', image.name, '--file', dockerfile, context]);
  const unfinished = join(context, 'node.tar');
  await buildah(['push', '--quiet', image.name, `docker-archive:${unfinished}:${image.name}`]);
  await rename(unfinished, image.archive);
  await buildah(['rmi', image.name]);
  await rm(context, { recursive: true });
}

/** What a killed command has left; the caller holds the lock, so nobody is at work on it. */
async function removeUnfinished(folder: string): Promise<void> {
  const left = (await readdir(folder)).filter((name) => name.startsWith('unfinished-'));
  for (const name of left) await rm(join(folder, name), { recursive: true });
}

/** Writes an archive of each image that kubeadm asks for and of the volume provisioner's into `images/`. */
async function writeClusterImages(built: Programs, context: string, progress: Progress): Promise<void> {
  await mkdir(join(context, 'images'));
  const asked = await run([built.kubeadm, 'config', 'images', 'list', '--kubernetes-version', kubernetesVersion]);
  const config = await readFile(join(await kindFiles(), 'etc/containerd/config.toml'), 'utf8');
  const pause = /^\s*sandbox_image = "(.+)"$/m.exec(config)?.[1];
  const names = new Set([...asked.stdout.trim().split('\n'), ...(pause ? [pause] : []), ...Object.values(localImages)]);
  for (const name of names) {
    const program = basename(name).split(':')[0] as keyof Programs | 'pause' | 'busybox';
    progress(`making the image of ${program}`);
    await writeImage(name, program, built, context);
  }
}

async function writeImage(
  name: string,
  program: keyof Programs | 'pause' | 'busybox',
  built: Programs,
  context: string,
): Promise<void> {
  const content = join(context, `content-${program}`);
  await mkdir(join(content, 'bin'), { recursive: true });
  if (program === 'pause' || program === 'busybox') {
    await cp('/bin/busybox', join(content, 'bin', 'busybox'));
    for (const applet of ['sh', 'mkdir', 'rm']) await symlink('busybox', join(content, 'bin', applet));
  } else {
    await link(built[program], join(content, program));
  }
  const dockerfile = join(import.meta.dirname, 'images', 'Dockerfile');
  const stage = ['--target', targetOf(program), '--build-arg', `PROGRAM=${program}`];
  const local = ['--layers', '--pull-never', '--network=host', '--file', dockerfile];
  await buildah(['bud', ...local, ...stage, '--tag', name, content]);
  const archive = join(context, 'images', `${name.replaceAll(/[/:]/g, '-')}.tar`);
  await buildah(['push', '--quiet', name, `docker-archive:${archive}:${name}`]);
  await rm(content, { recursive: true });
}

function targetOf(program: string): string {
  if (program === 'pause' || program === 'busybox') return 'shell';
  if (program === 'kube-proxy') return 'with-network-tools';
  return program === 'coredns' ? 'coredns' : 'program';
}

/** Lays out what is copied over the node's root folder. */
async function writeNodeFiles(built: Programs, root: string): Promise<void> {
  const kind = await kindFiles();
  for (const part of ['etc', 'kind', 'usr']) await cp(join(kind, part), join(root, part), { recursive: true });
  // In the module cache every file is read-only and none is a program.
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    const isProgram = entry.isDirectory() || entry.parentPath.endsWith('/bin');
    await chmod(join(entry.parentPath, entry.name), isProgram ? 0o755 : 0o644);
  }
  const write = async (path: string, text: string) => {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  };
  await mkdir(join(root, 'usr/bin'));
  for (const name of ['kubelet', 'kubeadm', 'kubectl'] as const) await link(built[name], join(root, 'usr/bin', name));
  await write('kind/version', kubernetesVersion);
  await write('etc/cni/net.d/10-bridge.conflist', bridgeNetwork());
  await write('kind/manifests/default-cni.yaml', nothingToApply());
  await write('kind/manifests/default-storage.yaml', await volumeProvisioner(localImages));
  if (!(await mayExceedResourceLimits())) await restrictOomScores(join(root, 'etc/containerd/config.toml'));
}

/** Without the capability containerd could not start any pod: "can't get final child's PID from pipe: EOF". */
async function restrictOomScores(file: string): Promise<void> {
  const shipped = await readFile(file, 'utf8');
  const restricted = shipped.replace('restrict_oom_score_adj = false', 'restrict_oom_score_adj = true');
  if (restricted === shipped) throw new Error("kind's containerd configuration no longer has restrict_oom_score_adj.");
  await writeFile(file, restricted);
}

async function kindFiles(): Promise<string> {
  return join(await moduleSources('kind', 'sigs.k8s.io/kind'), 'images', 'base', 'files');
}
