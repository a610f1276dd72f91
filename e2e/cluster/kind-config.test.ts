import { expect } from 'chai';
import { existsSync } from 'node:fs';
import { load } from 'js-yaml';
import { kindConfig } from './kind-config.ts';

interface Config {
  nodes: { extraMounts: { hostPath: string; containerPath: string }[] }[];
  kubeadmConfigPatches: string[];
  containerdConfigPatches?: string[];
}

describe('kind’s configuration', () => {
  it('has kubelet and containerd agree about who sets the limits of containers on cgroup v1', async () => {
    const config = load(await kindConfig(true)) as Config;
    const kubelet = config.kubeadmConfigPatches.map((text) => load(text) as { kind: string; cgroupDriver?: string });
    expect(kubelet.find(({ kind }) => kind === 'KubeletConfiguration')?.cgroupDriver).to.equal('cgroupfs');
    expect(config.containerdConfigPatches).to.have.length(2);
    for (const patch of config.containerdConfigPatches ?? []) expect(patch).to.contain('SystemdCgroup = false');
  });

  it('leaves that to systemd on cgroup v2', async () => {
    const text = await kindConfig(false);
    expect(text).not.to.match(/cgroup/i);
  });

  it('brings the patches of the control plane to where kubeadm is told to look for them', async () => {
    const config = load(await kindConfig(false)) as Config;
    const directories = config.kubeadmConfigPatches
      .map((text) => load(text) as { patches?: { directory: string } })
      .flatMap(({ patches }) => patches?.directory ?? []);
    const [mount] = config.nodes[0]?.extraMounts ?? [];
    expect(new Set(directories)).to.deep.equal(new Set([mount?.containerPath]));
    expect(existsSync(mount?.hostPath ?? '')).to.equal(true);
  });
});
