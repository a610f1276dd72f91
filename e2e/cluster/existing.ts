import { mkdir, writeFile } from 'node:fs/promises';
import { createInterface } from 'node:readline/promises';
import { join } from 'node:path';
import { run } from './command.ts';
import { ownIdentity } from './identity.ts';
import { ensurePrograms } from './offline/go-build.ts';
import type { Cluster, OpenOptions } from './cluster.ts';
import { executor, toolEnvironment } from './tools.ts';

interface KubeconfigView {
  'current-context'?: string;
  clusters?: { cluster: { server: string } }[];
}

/**
 * Uses the current context of the user's kubeconfig. Its settings are copied, so that a later change of context does
 * not lead half of a run into another cluster.
 *
 * @throws Error when there is no current context, when it is not on this machine and nobody agrees to use it, or when
 * it does not answer
 */
export async function openExisting(options: OpenOptions): Promise<Cluster> {
  const { kubectl } = await ensurePrograms(['kubectl'], options.progress);
  const shown = await run([kubectl, 'config', 'view', '--minify', '--flatten', '--raw', '--output=json'], {
    allowFailure: true,
  });
  if (shown.code !== 0)
    throw new Error(`There is no current kubeconfig context to use: ${shown.stderr.trim()}. Choose one with kubectl.`);
  const view = JSON.parse(shown.stdout) as KubeconfigView;
  const name = view['current-context'] ?? '';
  const server = view.clusters?.[0]?.cluster.server ?? '';
  if (!isLocal(server) && !options.yes) await askFirst(name, server);

  const { stateFolder } = ownIdentity();
  const kubeconfig = join(stateFolder, 'existing-kubeconfig');
  await mkdir(stateFolder, { recursive: true });
  await writeFile(kubeconfig, shown.stdout, { mode: 0o600 });
  const env = await toolEnvironment(kubeconfig, options.progress);
  const exec = executor([], env);
  const answer = await exec(['kubectl', 'get', '--raw', '/readyz', '--request-timeout=20s'], { allowFailure: true });
  if (answer.code !== 0) throw new Error(`The context ${name} (${server}) does not answer: ${answer.stderr.trim()}`);
  return {
    name,
    provider: 'existing',
    kubeconfig,
    nsenterPrefix: [],
    env,
    exec,
    loadImages: (archives) => loadInto(name, archives),
    // It was there before, and stays.
    down: () => Promise.resolve(),
  };
}

/** Whether a server's address is on this machine. */
export function isLocal(server: string): boolean {
  const { hostname } = new URL(server);
  return ['localhost', '[::1]', 'kubernetes.docker.internal'].includes(hostname) || /^127(\.\d+){3}$/.test(hostname);
}

async function askFirst(name: string, server: string): Promise<void> {
  const warning = `The current kubeconfig context ${name} is ${server}, which is not on this machine.`;
  if (!process.stdin.isTTY) throw new Error(`${warning} Nothing was done; add --yes if that is what you want.`);
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await terminal.question(`${warning} Install and run things there? Type its name to go on: `);
  terminal.close();
  if (answer.trim() !== name) throw new Error('Nothing was done.');
}

/** Each kind of cluster on a developer's machine has its own door for images. */
async function loadInto(context: string, archives: string[]): Promise<void> {
  const command = loadCommand(context);
  if (!command)
    throw new Error(
      `How to bring images into the cluster of context ${context} is not known. Push them to a registry it can reach, ` +
        'then run this again with PHASE_MIGRATION_IMAGES=present.',
    );
  for (const archive of archives) if (command.length > 0) await run([...command, archive]);
}

/** The command that takes an archive's path at its end; empty where the user has seen to it; undefined if unknown. */
export function loadCommand(context: string, env: NodeJS.ProcessEnv = process.env): string[] | undefined {
  if (env.PHASE_MIGRATION_IMAGES === 'present') return [];
  if (context.startsWith('kind-')) return ['kind', 'load', 'image-archive', '--name', context.slice('kind-'.length)];
  if (context.startsWith('k3d-')) return ['k3d', 'image', 'import', '--cluster', context.slice('k3d-'.length)];
  if (context === 'minikube') return ['minikube', 'image', 'load'];
  if (['docker-desktop', 'rancher-desktop', 'orbstack'].includes(context)) return ['docker', 'load', '--input'];
  return undefined;
}
