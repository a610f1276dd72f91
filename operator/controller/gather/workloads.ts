import type { KubeClient, ListOptions } from '../../kube/client.ts';
import { Deployment, Pod, StatefulSet } from '../../kube/resource-types.ts';
import type { WorkloadObservation } from '../decide/observation.ts';
import { observePod } from './pods.ts';
import type { Surroundings } from './surroundings.ts';

type WorkloadObject = Deployment | StatefulSet;

/**
 * Reads a workload and the pods that its selector finds, terminating ones too; both at once where the selector is known
 * already.
 */
export async function observeWorkload(
  client: KubeClient,
  namespace: string,
  { kind, name, selector: known }: Surroundings['workloads'][number],
  options: ListOptions,
): Promise<WorkloadObservation> {
  const ref = { namespace, name };
  const podsOf = (labelSelector: string) => client.list(Pod, { namespace, labelSelector }, options);
  const [object, early] = await Promise.all([
    kind === 'Deployment' ? client.get(Deployment, ref) : client.get(StatefulSet, ref),
    known === undefined ? undefined : podsOf(known),
  ]);
  // Its pods may outlive it.
  if (!object) return { kind, name, pods: early?.items.map(observePod) ?? [] };
  const selector = selectorText(object);
  const { items } = early && selector === known ? early : await podsOf(selector);
  return { kind, name, found: describe(object, selector), pods: items.map(observePod) };
}

function describe(object: WorkloadObject, selector: string): NonNullable<WorkloadObservation['found']> {
  const { spec, status, metadata } = object;
  const containers = spec?.template.spec?.containers ?? [];
  return {
    uid: metadata.uid ?? '',
    resourceVersion: metadata.resourceVersion ?? '',
    replicas: spec?.replicas ?? 1,
    upToDate: (status?.observedGeneration ?? 0) >= (metadata.generation ?? 0),
    updatedReplicas: status?.updatedReplicas ?? 0,
    readyReplicas: status?.readyReplicas ?? 0,
    selector,
    heldBack: heldBack(object),
    replicaFailure: replicaFailure(object),
    images: Object.fromEntries(containers.map(({ name, image }) => [name, image ?? ''])),
  };
}

/** What keeps a new template from some pods: the old version would be started on the new schema. */
function heldBack(object: WorkloadObject): string | undefined {
  const { paused } = (object as Deployment).spec ?? {};
  if (object.kind === 'Deployment') return paused ? 'spec.paused is true' : undefined;
  const partition = (object as StatefulSet).spec?.updateStrategy?.rollingUpdate?.partition ?? 0;
  return partition > 0 ? `spec.updateStrategy.rollingUpdate.partition is ${partition}` : undefined;
}

/** A quota or a policy that keeps pods out is told in no pod's status. StatefulSets tell it in events only. */
function replicaFailure({ status }: WorkloadObject): string | undefined {
  return status?.conditions?.find(({ type, status }) => type === 'ReplicaFailure' && status === 'True')?.message;
}

/** A LabelSelector in the form that list and watch take. */
function selectorText(object: WorkloadObject): string {
  const { matchLabels = {}, matchExpressions = [] } = object.spec?.selector ?? {};
  const equal = Object.entries(matchLabels).map(([key, value]) => `${key}=${value}`);
  const expressions = matchExpressions.map(({ key, operator, values = [] }) => {
    if (operator === 'Exists') return key;
    if (operator === 'DoesNotExist') return `!${key}`;
    return `${key} ${operator === 'In' ? 'in' : 'notin'} (${values.join(',')})`;
  });
  return [...equal, ...expressions].join(',');
}
