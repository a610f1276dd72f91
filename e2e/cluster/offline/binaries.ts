/** A program that is built from Go modules, with the folder of `go/` whose go.mod and go.sum pin all its sources. */
export interface GoProgram {
  module: string;
  package: string;
  ldflags: string;
}

/** 1.34 is the last release that runs on cgroup v1 and with containerd 1.x without being told to. */
export const kubernetesVersion = 'v1.34.4';

const [major, minor] = kubernetesVersion.slice(1).split('.');
const versionPackage = 'k8s.io/component-base/version';
const stripped = '-s -w';
/** Without these the servers call themselves v0.0.0 and kubeadm refuses them. */
const kubernetesFlags = [
  stripped,
  `-X ${versionPackage}.gitVersion=${kubernetesVersion}`,
  `-X ${versionPackage}.gitMajor=${major}`,
  `-X ${versionPackage}.gitMinor=${minor}`,
].join(' ');

const kubernetes = (name: string): GoProgram => ({
  module: 'kubernetes',
  package: `k8s.io/kubernetes/cmd/${name}`,
  ldflags: kubernetesFlags,
});

/** In the order in which building them costs least: each finds the packages of the ones before already compiled. */
export const goPrograms = {
  etcd: { module: 'kubernetes', package: 'go.etcd.io/etcd/server/v3', ldflags: stripped },
  'kube-apiserver': kubernetes('kube-apiserver'),
  'kube-controller-manager': kubernetes('kube-controller-manager'),
  kubectl: kubernetes('kubectl'),
  kubelet: kubernetes('kubelet'),
  kubeadm: kubernetes('kubeadm'),
  'kube-scheduler': kubernetes('kube-scheduler'),
  'kube-proxy': kubernetes('kube-proxy'),
  kind: { module: 'kind', package: 'sigs.k8s.io/kind', ldflags: stripped },
  'local-path-provisioner': {
    module: 'local-path-provisioner',
    package: 'github.com/rancher/local-path-provisioner',
    ldflags: stripped,
  },
  coredns: { module: 'coredns', package: 'github.com/coredns/coredns', ldflags: stripped },
  // For tests only; the product speaks S3 with whatever server there is.
  minio: { module: 'minio', package: 'github.com/minio/minio', ldflags: stripped },
  helm: { module: 'helm', package: 'helm.sh/helm/v3/cmd/helm', ldflags: stripped },
} satisfies Record<string, GoProgram>;

export type ProgramName = keyof typeof goPrograms;
