import type { Api, Thing } from './api.ts';
import { named, pathsIn, type Run } from './objects.ts';
import { waitUntil } from './wait.ts';

const NOW = '?gracePeriodSeconds=0';

/** Ends a pod as `kubectl delete pod --force --grace-period=0` does: SIGKILL, no last words. @returns its name */
export async function killPod(api: Api, path: string, pod: Thing): Promise<string> {
  const { status, text } = await api.request('DELETE', `${path}/${pod.metadata.name}${NOW}`);
  if (status !== 200) throw new Error(`Pod ${pod.metadata.name} could not be deleted: ${text}`);
  return pod.metadata.name;
}

interface Lease extends Thing {
  spec: { holderIdentity?: string };
}

/** Kills the replica of the operator that leads. @returns its name */
export async function killLeader(api: Api, namespace: string): Promise<string> {
  const path = `/api/v1/namespaces/${namespace}/pods`;
  const pod = await leaderPod(api, namespace);
  return killPod(api, path, { metadata: { name: pod } });
}

/** Name of the pod that holds the operator's Lease. */
export function leaderPod(api: Api, namespace: string): Promise<string> {
  const path = `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`;
  return waitUntil(
    api,
    { path, fieldSelector: named('phasemigration-operator') },
    ([lease]: Lease[]) => lease?.spec.holderIdentity?.split('_')[0] || undefined,
    { within: 60, until: `an operator in namespace ${namespace} leads`, last: ([lease]) => JSON.stringify(lease) },
  );
}

/** Kills the pod of the runner that reports. The pod's own phase would not tell which: the kubelet is slow to say it. */
export async function killRunner(api: Api, namespace: string): Promise<string> {
  const paths = pathsIn(namespace);
  const runs = await api.list<Run>({ path: paths.runs });
  const reporting = runs.find(({ status }) => status?.runner?.podName && status.outcome === undefined);
  const name = reporting?.status?.runner?.podName;
  if (!name) throw new Error(`No runner reports in namespace ${namespace}: ${JSON.stringify(runs.map(statusOf))}`);
  return killPod(api, paths.pods, { metadata: { name } });
}

function statusOf({ metadata, status }: Run) {
  return [metadata.name, status?.outcome, status?.runner?.podName];
}
