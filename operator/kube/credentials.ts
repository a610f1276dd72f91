import { accessSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { Agent, RequestOptions } from 'node:https';
import { isIPv6 } from 'node:net';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { KubeConfig } from '@kubernetes/client-node';

/** What one request needs to be let in. Asked for before every request, so that a rotated token or CA is noticed. */
export interface Authorization {
  headers: Record<string, string>;
  tls: Pick<RequestOptions, 'ca' | 'cert' | 'key' | 'passphrase' | 'rejectUnauthorized' | 'servername'>;
  /** Only where the way to the server is a proxy. */
  agent?: Agent;
}

/** Where the API server is and how to be let in. */
export interface Credentials {
  /** Namespace of the pod, or of the kubeconfig's context; `default` where neither names one. */
  namespace: string;
  server: URL;
  authorize(): Promise<Authorization>;
}

const serviceAccountDirectory = '/var/run/secrets/kubernetes.io/serviceaccount';

/** What a pod is given by the kubelet. `directory` and `environment` are parameters for the tests. */
export interface InClusterSource {
  directory: string;
  environment: Partial<Record<string, string>>;
}

/** Whether this process runs in a pod with a mounted ServiceAccount token. */
export function runsInCluster(source: InClusterSource = inClusterSource()): boolean {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = source.environment;
  return Boolean(host) && Boolean(port) && readable(join(source.directory, 'token'));
}

export function inClusterSource(): InClusterSource {
  return { directory: serviceAccountDirectory, environment: process.env };
}

/**
 * The pod's own ServiceAccount. Written here rather than taken from client-node, because importing client-node costs
 * 80 MB of resident memory (30 MB when bundled), of the operator's 100. Token and CA are read for every request: the
 * kubelet replaces the token long before it expires, and two reads from a tmpfs cost microseconds.
 */
export function inClusterCredentials(source: InClusterSource = inClusterSource()): Credentials {
  const { KUBERNETES_SERVICE_HOST: host = '', KUBERNETES_SERVICE_PORT: port = '' } = source.environment;
  const file = (name: string): Promise<string> => readFile(join(source.directory, name), 'utf8');
  return {
    namespace: readNamespace(source.directory),
    server: new URL(`https://${isIPv6(host) ? `[${host}]` : host}:${port}`),
    authorize: async () => {
      const [token, ca] = await Promise.all([file('token'), file('ca.crt')]);
      return { headers: { authorization: `Bearer ${token.trim()}` }, tls: { ca } };
    },
  };
}

/** A kubeconfig file's context (its current one if none is named), with every kind of login client-node knows. */
export async function kubeconfigCredentials(path: string | undefined, context?: string): Promise<Credentials> {
  const config = await loadKubeConfig(path);
  if (context !== undefined) config.setCurrentContext(context);
  const name = config.getCurrentContext();
  const cluster = config.getCurrentCluster();
  if (cluster === null) {
    throw new Error(
      `The kubeconfig ${path ?? ''} has no context "${name}" with a cluster; it has: ${config
        .getContexts()
        .map((each) => each.name)
        .join(', ')}.`,
    );
  }
  return {
    namespace: config.getContextObject(name)?.namespace ?? 'default',
    server: new URL(cluster.server),
    authorize: () => authorizeWith(config, cluster.proxyUrl !== undefined),
  };
}

/** In a pod the pod's ServiceAccount, unless KUBECONFIG says otherwise; else KUBECONFIG or ~/.kube/config. */
export function defaultCredentials(): Promise<Credentials> {
  if (!process.env.KUBECONFIG && runsInCluster()) return Promise.resolve(inClusterCredentials());
  return kubeconfigCredentials(undefined);
}

async function loadKubeConfig(path: string | undefined): Promise<KubeConfig> {
  const { KubeConfig } = await import('@kubernetes/client-node');
  const config = new KubeConfig();
  if (path !== undefined) {
    config.loadFromFile(path);
    return config;
  }
  if (!process.env.KUBECONFIG && !readable(join(homedir(), '.kube', 'config'))) {
    throw new Error('No cluster is configured: neither KUBECONFIG nor ~/.kube/config nor a pod ServiceAccount exists.');
  }
  config.loadFromDefault();
  return config;
}

async function authorizeWith(config: KubeConfig, viaProxy: boolean): Promise<Authorization> {
  const options: RequestOptions = {};
  await config.applyToHTTPSOptions(options);
  const { ca, cert, key, passphrase, rejectUnauthorized, servername, auth } = options;
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(options.headers ?? {})) headers[name.toLowerCase()] = String(value);
  if (typeof auth === 'string') headers.authorization = `Basic ${Buffer.from(auth).toString('base64')}`;
  // client-node's own agent closes its connection after every request; it is used only where it knows the proxy.
  const agent = viaProxy ? (options.agent as Agent) : undefined;
  return { headers, tls: withoutUndefined({ ca, cert, key, passphrase, rejectUnauthorized, servername }), agent };
}

/** An explicit `rejectUnauthorized: undefined` would switch the check of the server's certificate off in node:https. */
function withoutUndefined<T extends object>(object: T): T {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as T;
}

function readNamespace(directory: string): string {
  try {
    return readFileSync(join(directory, 'namespace'), 'utf8').trim();
  } catch {
    return 'default';
  }
}

function readable(path: string): boolean {
  try {
    accessSync(path);
    return true;
  } catch {
    return false;
  }
}
