import type {
  EventsV1Event,
  V1ConfigMap,
  V1CustomResourceDefinition,
  V1Deployment,
  V1Job,
  V1Lease,
  V1Namespace,
  V1PersistentVolumeClaim,
  V1Pod,
  V1Role,
  V1RoleBinding,
  V1Scale,
  V1Service,
  V1ServiceAccount,
  V1StatefulSet,
} from '@kubernetes/client-node';
import type { KubeObject, ResourceType, WireObject } from './types.ts';

export type Deployment = WireObject<V1Deployment>;
export type StatefulSet = WireObject<V1StatefulSet>;
export type Pod = WireObject<V1Pod>;
export type Job = WireObject<V1Job>;
export type Service = WireObject<V1Service>;
export type ServiceAccount = WireObject<V1ServiceAccount>;
export type Role = WireObject<V1Role>;
export type RoleBinding = WireObject<V1RoleBinding>;
export type Lease = WireObject<V1Lease>;
/** events.k8s.io/v1, not the core/v1 kind of the same name. */
export type Event = WireObject<EventsV1Event>;
export type PersistentVolumeClaim = WireObject<V1PersistentVolumeClaim>;
export type ConfigMap = WireObject<V1ConfigMap>;
export type Namespace = WireObject<V1Namespace>;
export type CustomResourceDefinition = WireObject<V1CustomResourceDefinition>;
/**
 * autoscaling/v1 Scale: not a resource of its own but the `scale` subresource of a workload; read with
 * `client.get(Deployment, ref, {subresource: 'scale'})`. `status.replicas` counts terminating pods of a StatefulSet
 * but not of a Deployment (and the server leaves a zero out): whoever wants to know that an application is gone counts pods by selector.
 */
export type Scale = WireObject<V1Scale>;

function resource<T extends KubeObject>(
  group: string,
  kind: string,
  plural: string,
  namespaced = true,
): ResourceType<T> {
  return { group, version: 'v1', kind, plural, namespaced };
}

export const Deployment: ResourceType<Deployment> = resource('apps', 'Deployment', 'deployments');
export const StatefulSet: ResourceType<StatefulSet> = resource('apps', 'StatefulSet', 'statefulsets');
export const Pod: ResourceType<Pod> = resource('', 'Pod', 'pods');
export const Job: ResourceType<Job> = resource('batch', 'Job', 'jobs');
export const Service: ResourceType<Service> = resource('', 'Service', 'services');
export const ServiceAccount: ResourceType<ServiceAccount> = resource('', 'ServiceAccount', 'serviceaccounts');
export const Role: ResourceType<Role> = resource('rbac.authorization.k8s.io', 'Role', 'roles');
export const RoleBinding: ResourceType<RoleBinding> = resource(
  'rbac.authorization.k8s.io',
  'RoleBinding',
  'rolebindings',
);
export const Lease: ResourceType<Lease> = resource('coordination.k8s.io', 'Lease', 'leases');
export const Event: ResourceType<Event> = resource('events.k8s.io', 'Event', 'events');
export const PersistentVolumeClaim: ResourceType<PersistentVolumeClaim> = resource(
  '',
  'PersistentVolumeClaim',
  'persistentvolumeclaims',
);
export const ConfigMap: ResourceType<ConfigMap> = resource('', 'ConfigMap', 'configmaps');
export const Namespace: ResourceType<Namespace> = resource('', 'Namespace', 'namespaces', false);
export const CustomResourceDefinition: ResourceType<CustomResourceDefinition> = resource(
  'apiextensions.k8s.io',
  'CustomResourceDefinition',
  'customresourcedefinitions',
  false,
);
