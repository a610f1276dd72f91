import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ControlPlane } from '../../e2e/cluster/control-plane.ts';

/** Writes a kubeconfig into a folder that leads the administrator of a control plane to it by way of a proxy. */
export async function writeKubeconfig(plane: ControlPlane, folder: string, proxyUrl: string): Promise<string> {
  const config = JSON.parse(await readFile(plane.kubeconfig, 'utf8')) as { clusters: { cluster: object }[] };
  // Plain HTTP on this machine; client-node asks for it in these words.
  for (const entry of config.clusters) entry.cluster = { server: proxyUrl, 'insecure-skip-tls-verify': true };
  const path = join(folder, 'kubeconfig');
  await mkdir(folder, { recursive: true });
  await writeFile(path, JSON.stringify(config), { mode: 0o600 });
  return path;
}
