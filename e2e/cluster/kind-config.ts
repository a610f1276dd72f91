import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { dump, load } from 'js-yaml';

interface KindConfig {
  nodes: { role: string; extraMounts?: { hostPath: string; containerPath: string; readOnly: boolean }[] }[];
  kubeadmConfigPatches: string[];
  containerdConfigPatches?: string[];
}

const fileOf = (name: string) => join(import.meta.dirname, name);
/** What kubeadm changes in the manifests of etcd and the API server. */
const patches = ['etcd', 'kube-apiserver'].map((program) => `kubeadm-patches/${program}+strategic.yaml`);

/** The configuration that kind makes the cluster after; the same on machines that are alike. */
export async function kindConfig(isCgroupV1: boolean = onCgroupV1()): Promise<string> {
  const config = load(await readFile(fileOf('kind.yaml'), 'utf8')) as KindConfig;
  const mount = { hostPath: fileOf('kubeadm-patches'), containerPath: '/kind/patches', readOnly: true };
  for (const node of config.nodes) node.extraMounts = [mount];
  if (isCgroupV1) withoutFreezing(config);
  return dump(config);
}

/** Everything that the configuration names, for who asks whether a cluster was made after it. */
export async function kindRecipe(): Promise<string[]> {
  return [await kindConfig(), ...(await Promise.all(patches.map((name) => readFile(fileOf(name), 'utf8'))))];
}

const onCgroupV1 = () => !existsSync('/sys/fs/cgroup/cgroup.controllers');

/**
 * On cgroup v1 runc freezes each container while systemd sets its limits, which fails now and then on a busy machine:
 * "unable to freeze", and the container was never started. With the driver cgroupfs it sets them itself.
 */
function withoutFreezing(config: KindConfig): void {
  config.kubeadmConfigPatches.push(dump({ kind: 'KubeletConfiguration', cgroupDriver: 'cgroupfs' }));
  // The names that containerd 1 and 2 have for it; each ignores the other's.
  config.containerdConfigPatches = ['io.containerd.grpc.v1.cri', 'io.containerd.cri.v1.runtime'].map(
    (plugin) => `[plugins."${plugin}".containerd.runtimes.runc.options]\n  SystemdCgroup = false\n`,
  );
}
