import { delimiter, dirname, join } from 'node:path';
import { run, type CommandOptions } from './command.ts';
import { ensurePrograms } from './offline/go-build.ts';
import type { Progress } from './progress.ts';

/** Environment in which `kubectl` and `helm` are found, in the versions that are pinned here, and use the kubeconfig. */
export async function toolEnvironment(kubeconfig: string, progress: Progress): Promise<Record<string, string>> {
  const tools = await ensurePrograms(['kubectl', 'helm'], progress);
  const folders = [...new Set(Object.values(tools).map((file) => dirname(file)))];
  // Else what kubectl keeps of each cluster stays in the home folder for ever.
  const KUBECACHEDIR = join(dirname(kubeconfig), 'kubectl-cache');
  return { KUBECONFIG: kubeconfig, KUBECACHEDIR, PATH: [...folders, process.env.PATH].join(delimiter) };
}

/** `Cluster.exec` for a way in and an environment. */
export function executor(nsenterPrefix: string[], env: Record<string, string>) {
  return (command: string[], options: CommandOptions = {}) =>
    run([...nsenterPrefix, ...command], { ...options, env: { ...env, ...options.env } });
}
