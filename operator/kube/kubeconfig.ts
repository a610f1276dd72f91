import { existsSync } from 'node:fs';
import type { Agent, RequestOptions } from 'node:https';
import { homedir } from 'node:os';
import { join } from 'node:path';
// A file of its own with a static import: imported dynamically itself, client-node would be bundled whole (4 MB).
import { KubeConfig } from '@kubernetes/client-node';
import type { Authorization, Credentials } from './credentials.ts';

/** A kubeconfig file's context (its current one if none is named), with every kind of login client-node knows. */
export function kubeconfigCredentials(path: string | undefined, context?: string): Credentials {
  const config = loadKubeConfig(path);
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

function loadKubeConfig(path: string | undefined): KubeConfig {
  const config = new KubeConfig();
  if (path !== undefined) {
    config.loadFromFile(path);
    return config;
  }
  if (!process.env.KUBECONFIG && !existsSync(join(homedir(), '.kube', 'config'))) {
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
