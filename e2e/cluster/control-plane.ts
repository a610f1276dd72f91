import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Agent, fetch } from 'undici';
import { ensurePrograms } from './offline/go-build.ts';
import { freePort } from './ports.ts';
import type { Progress } from './progress.ts';
import { startService, type Service, type ServiceOptions } from './service.ts';
import { makeThrowawayFolder } from './throwaway.ts';

export interface ControlPlaneOptions {
  /** Whether kube-controller-manager runs too (Jobs, ReplicaSets, garbage collection, service accounts). Default true. */
  controllerManager?: boolean;
  /** The only controllers that kube-controller-manager runs; its usual ones when left out. */
  controllers?: string[];
  /** Is told what is being built the first time. */
  progress?: Progress;
}

/** An API server of its own for one test. There is no kubelet and no scheduler: pods stay Pending. */
export interface ControlPlane {
  /** Path of a kubeconfig file whose only user may do everything. */
  readonly kubeconfig: string;
  /** Base URL of the API server. */
  readonly url: string;
  /** Path of the certificate that the API server's own is checked with. */
  readonly certificateAuthority: string;
  /** Bearer token of a member of system:masters. */
  readonly adminToken: string;
  /** Ends all processes, waits until they are gone and removes their data. May be called again. */
  stop(): Promise<void>;
}

const host = '127.0.0.1';
const readyTimeoutMs = 60_000;

/** Builds what `startControlPlane` runs (about five minutes the first time, nothing afterwards). */
export function ensureControlPlaneBinaries(progress?: Progress) {
  return ensurePrograms(['etcd', 'kube-apiserver', 'kube-controller-manager'], progress);
}

/**
 * Starts etcd, kube-apiserver and kube-controller-manager as plain processes on free loopback ports (about 3 s).
 * They end with this process, even when that is killed.
 *
 * @throws Error with the last lines of the log of the program that did not start
 */
export async function startControlPlane(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
  const binaries = await ensureControlPlaneBinaries(options.progress);
  const folder = await makeThrowawayFolder('controlplane');
  const ports = { client: await freePort(), peer: await freePort(), api: await freePort() };
  const layout = await writeKeys(folder, ports.api);
  const services: Service[] = [];
  const start = async (name: keyof typeof binaries, args: string[]) => {
    const service = await startService(serviceOptions(name, binaries[name], args, folder));
    services.push(service);
    return service;
  };
  const stop = async () => {
    // Not SIGTERM: the API server would keep its port for up to a minute to let requests end that nobody makes.
    await Promise.all(services.map((service) => service.stop('SIGKILL')));
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await start('etcd', etcdArguments(folder, ports));
    const api = await start('kube-apiserver', apiServerArguments(layout, ports));
    await api.waitUntil(() => answers(layout, '/readyz'), readyTimeoutMs);
    if (options.controllerManager ?? true) {
      const manager = await start('kube-controller-manager', controllerManagerArguments(layout, options.controllers));
      // Until it exists no pod can be created in the namespace.
      const defaultAccount = '/api/v1/namespaces/default/serviceaccounts/default';
      await manager.waitUntil(() => answers(layout, defaultAccount), readyTimeoutMs);
    }
  } catch (error) {
    await stop();
    throw error;
  }
  const { kubeconfig, url, certificateAuthority, adminToken } = layout;
  return { kubeconfig, url, certificateAuthority, adminToken, stop };
}

interface Layout {
  folder: string;
  url: string;
  kubeconfig: string;
  certificateAuthority: string;
  adminToken: string;
  tokens: string;
  serviceAccountKey: string;
}

interface Ports {
  client: number;
  peer: number;
  api: number;
}

async function writeKeys(folder: string, apiPort: number): Promise<Layout> {
  const layout: Layout = {
    folder,
    url: `https://${host}:${apiPort}`,
    kubeconfig: join(folder, 'kubeconfig'),
    // The API server makes its own certificate and puts its issuer's behind it in the same file.
    certificateAuthority: join(folder, 'apiserver.crt'),
    adminToken: randomBytes(24).toString('hex'),
    tokens: join(folder, 'tokens.csv'),
    serviceAccountKey: join(folder, 'service-account.key'),
  };
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  await writeFile(layout.serviceAccountKey, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  await writeFile(layout.tokens, `${layout.adminToken},admin,admin,system:masters\n`, { mode: 0o600 });
  const name = 'control-plane';
  const kubeconfig = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name, cluster: { server: layout.url, 'certificate-authority': layout.certificateAuthority } }],
    users: [{ name, user: { token: layout.adminToken } }],
    contexts: [{ name, context: { cluster: name, user: name } }],
    'current-context': name,
  };
  await writeFile(layout.kubeconfig, JSON.stringify(kubeconfig, null, 2), { mode: 0o600 });
  return layout;
}

function serviceOptions(name: string, command: string, args: string[], folder: string): ServiceOptions {
  return { name, command, args, logFile: join(folder, `${name}.log`), onOwnerDeath: 'KILL' };
}

function etcdArguments(folder: string, ports: Ports): string[] {
  const client = `http://${host}:${ports.client}`;
  const peer = `http://${host}:${ports.peer}`;
  return [
    `--data-dir=${join(folder, 'etcd')}`,
    `--listen-client-urls=${client}`,
    `--advertise-client-urls=${client}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=default=${peer}`,
    '--unsafe-no-fsync',
    '--log-level=warn',
  ];
}

function apiServerArguments(layout: Layout, ports: Ports): string[] {
  return [
    `--etcd-servers=http://${host}:${ports.client}`,
    `--bind-address=${host}`,
    `--advertise-address=${host}`,
    `--secure-port=${ports.api}`,
    `--cert-dir=${layout.folder}`,
    `--token-auth-file=${layout.tokens}`,
    `--service-account-issuer=${layout.url}`,
    `--service-account-key-file=${layout.serviceAccountKey}`,
    `--service-account-signing-key-file=${layout.serviceAccountKey}`,
    '--authorization-mode=Node,RBAC',
    '--service-cluster-ip-range=198.19.0.0/24',
    '--endpoint-reconciler-type=none',
    '--allow-privileged=true',
  ];
}

function controllerManagerArguments(layout: Layout, controllers = ['*']): string[] {
  return [
    `--kubeconfig=${layout.kubeconfig}`,
    `--root-ca-file=${layout.certificateAuthority}`,
    `--service-account-private-key-file=${layout.serviceAccountKey}`,
    '--use-service-account-credentials',
    `--controllers=${controllers.join(',')}`,
    '--leader-elect=false',
    // Its own health endpoint; nobody asks it, and a fixed port would let only one control plane run.
    '--secure-port=0',
  ];
}

async function answers(layout: Layout, path: string): Promise<boolean> {
  const ca = await readFile(layout.certificateAuthority).catch(() => undefined);
  if (!ca) return false;
  const dispatcher = new Agent({ connect: { ca } });
  try {
    const headers = { authorization: `Bearer ${layout.adminToken}` };
    const response = await fetch(layout.url + path, { dispatcher, headers });
    await response.body?.cancel();
    return response.ok;
  } catch {
    // Refused, or the certificate file is still being written: not yet.
    return false;
  } finally {
    await dispatcher.destroy();
  }
}
