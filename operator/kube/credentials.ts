import { existsSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { Agent, RequestOptions } from 'node:https';
import { isIPv6 } from 'node:net';
import { join } from 'node:path';

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
  return Boolean(host) && Boolean(port) && existsSync(join(source.directory, 'token'));
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

function readNamespace(directory: string): string {
  try {
    return readFileSync(join(directory, 'namespace'), 'utf8').trim();
  } catch {
    return 'default';
  }
}
