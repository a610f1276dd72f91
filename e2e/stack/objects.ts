import type { PhaseMigration, PhaseMigrationRun } from '../../operator/api/resources.ts';
import type { Thing } from './api.ts';

/** The parts of Kubernetes' own objects that scenarios look at, and where they are found. */

export type Migration = PhaseMigration & Thing;
export type Run = PhaseMigrationRun & Thing;

export interface Workload extends Thing {
  spec: {
    replicas: number;
    selector: { matchLabels: Record<string, string> };
    template: { spec: { containers: { name: string; image: string }[] } };
  };
  status?: { observedGeneration?: number; replicas?: number; updatedReplicas?: number; readyReplicas?: number };
}

export interface Pod extends Thing {
  spec: { containers: { name: string; image: string }[] };
  status?: { phase?: string; conditions?: { type: string; status: string }[] };
}

export interface Job extends Thing {
  status?: { active?: number; succeeded?: number; failed?: number };
}

export interface Event extends Thing {
  type: 'Normal' | 'Warning';
  reason: string;
  note?: string;
  regarding?: { kind?: string; name?: string; uid?: string };
}

/** Paths of lists and objects of one namespace. */
export function pathsIn(namespace: string) {
  const core = `/api/v1/namespaces/${namespace}`;
  const ours = `/apis/phasemigration.io/v1alpha1/namespaces/${namespace}`;
  const apps = `/apis/apps/v1/namespaces/${namespace}`;
  const rbac = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}`;
  return {
    migrations: `${ours}/phasemigrations`,
    runs: `${ours}/phasemigrationruns`,
    deployments: `${apps}/deployments`,
    statefulSets: `${apps}/statefulsets`,
    pods: `${core}/pods`,
    secrets: `${core}/secrets`,
    services: `${core}/services`,
    configMaps: `${core}/configmaps`,
    serviceAccounts: `${core}/serviceaccounts`,
    jobs: `/apis/batch/v1/namespaces/${namespace}/jobs`,
    events: `/apis/events.k8s.io/v1/namespaces/${namespace}/events`,
    roles: `${rbac}/roles`,
    roleBindings: `${rbac}/rolebindings`,
  };
}

export const named = (name: string) => `metadata.name=${name}`;

export function isReady(pod: Pod): boolean {
  return (
    pod.metadata.deletionTimestamp === undefined &&
    (pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false)
  );
}
