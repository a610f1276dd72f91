import { dump, loadAll } from 'js-yaml';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { moduleSources } from './go-build.ts';

/** The pods of the only node; what kubeadm gives the first node out of kind's default pod subnet. */
const podSubnet = '10.244.0.0/24';

/**
 * CNI configuration for one node: a point-to-point link for each pod. Nothing leaves the node, so no address is
 * translated, and no pod has a port of the node: each would take calls of iptables at every start and end of a pod.
 */
export function bridgeNetwork(): string {
  const ptp = {
    type: 'ptp',
    ipam: { type: 'host-local', ranges: [[{ subnet: podSubnet }]], routes: [{ dst: '0.0.0.0/0' }] },
  };
  return JSON.stringify({ cniVersion: '0.4.0', name: 'bridge', plugins: [ptp] }, null, 2);
}

/** kind applies this file in every case; the network needs nothing from the cluster. */
export function nothingToApply(): string {
  const metadata = { name: 'node-network', namespace: 'kube-system' };
  return dump({ apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { plugin: 'ptp' } });
}

/** Started before kube-proxy it would end at once, and be started again only ten seconds later. */
const waitForApi =
  'until busybox nc -w 1 "$KUBERNETES_SERVICE_HOST" "$KUBERNETES_SERVICE_PORT" -e /bin/busybox true; do busybox sleep 0.1; done';

interface Manifest {
  kind: string;
  metadata: { name: string; annotations?: Record<string, string> };
  data?: Record<string, string>;
  spec?: { template: { spec: { containers: { image: string }[]; initContainers?: object[] } } };
}

/**
 * The volume provisioner's own manifest, with images that are in the node, a folder on the node's disk, and its class
 * as the cluster's default under the name that kind gives it.
 *
 * @throws Error when the manifest no longer has one of the things to change
 */
export async function volumeProvisioner(images: { volumeProvisioner: string; shell: string }): Promise<string> {
  const sources = await moduleSources('local-path-provisioner', 'github.com/rancher/local-path-provisioner');
  const manifests = loadAll(await readFile(join(sources, 'deploy', 'local-path-storage.yaml'), 'utf8')) as Manifest[];
  const deployment = only(manifests, 'Deployment');
  const pod = deployment.spec?.template.spec;
  if (!pod) throw new Error("The volume provisioner's Deployment has no pod template.");
  for (const container of pod.containers) container.image = images.volumeProvisioner;
  pod.initContainers = [{ name: 'wait-for-api', image: images.shell, command: ['sh', '-c', waitForApi] }];
  const storageClass = only(manifests, 'StorageClass');
  storageClass.metadata.name = 'standard';
  storageClass.metadata.annotations = { 'storageclass.kubernetes.io/is-default-class': 'true' };
  const data = only(manifests, 'ConfigMap').data ?? {};
  replace(data, 'config.json', '/opt/local-path-provisioner', '/var/local-path-provisioner');
  // Now and then the node never tells that the pod that makes a folder has ended; another one then takes two seconds.
  replace(data, 'config.json', '"nodePathMap"', '"cmdTimeoutSeconds": 20,\n        "nodePathMap"');
  replace(data, 'helperPod.yaml', 'image: busybox', `image: ${images.shell}`);
  return manifests.map((manifest) => dump(manifest)).join('---\n');
}

function only(manifests: Manifest[], kind: string): Manifest {
  const found = manifests.filter((manifest) => manifest.kind === kind);
  if (found.length !== 1) throw new Error(`The volume provisioner's manifest has ${found.length} objects ${kind}.`);
  return found[0]!;
}

function replace(data: Record<string, string>, key: string, before: string, after: string): void {
  if (!data[key]?.includes(before)) throw new Error(`The volume provisioner's ${key} no longer has '${before}'.`);
  data[key] = data[key].replace(before, after);
}
