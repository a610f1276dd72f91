import { inClusterCredentials, runsInCluster, type Credentials } from './credentials.ts';

/** A kubeconfig file's context (its current one if none is named), with every kind of login client-node knows. */
export async function kubeconfigCredentials(path: string | undefined, context?: string): Promise<Credentials> {
  return (await import('./kubeconfig.ts')).kubeconfigCredentials(path, context);
}

/** In a pod the pod's ServiceAccount, unless KUBECONFIG says otherwise; else KUBECONFIG or ~/.kube/config. */
export function defaultCredentials(): Promise<Credentials> {
  if (!process.env.KUBECONFIG && runsInCluster()) return Promise.resolve(inClusterCredentials());
  return kubeconfigCredentials(undefined);
}
