import { PhaseMigration, PhaseMigrationRun } from '../../operator/controller/resource-types.ts';
import {
  Deployment,
  Job,
  Lease,
  Pod,
  Role,
  RoleBinding,
  Service,
  ServiceAccount,
} from '../../operator/kube/resource-types.ts';
import type { KubeObject, ResourceType } from '../../operator/kube/types.ts';
import { isReady } from './kubelet.ts';
import { versionOf } from './objects.ts';
import type { Site } from './site.ts';

/** What is there in the end, without what differs from run to run: names by chance, times, sentences. */
export type EndState = Record<string, unknown>;

type Condition = { type: string; status: string; reason?: string };

/** Reads the end state of a site from the API server itself. */
export async function readEndState(site: Site): Promise<EndState> {
  const { client, namespace, database } = site;
  const list = async <T extends KubeObject>(type: ResourceType<T>, describe: (object: T) => unknown) => {
    const { items } = await client.list(type, { namespace });
    return items.map(describe).sort((one, other) => JSON.stringify(one).localeCompare(JSON.stringify(other)));
  };
  const named = ({ metadata }: KubeObject) => ({
    name: withoutUid(metadata.name, metadata.ownerReferences?.[0]?.uid),
    owner: metadata.ownerReferences?.[0]?.name,
    finalizers: metadata.finalizers,
    deleting: metadata.deletionTimestamp !== undefined,
  });
  const { schema, fenced, restorePoint, ledger, lockedBy } = database;
  return {
    database: { schema, fenced, restorePoint, ledger, locked: lockedBy !== undefined },
    migrations: await list(PhaseMigration, (object) => ({ ...named(object), ...summary(object) })),
    runs: await list(PhaseMigrationRun, (object) => ({ ...named(object), ...summary(object), ...course(object) })),
    deployments: await list(Deployment, (object) => ({
      ...named(object),
      replicas: object.spec?.replicas,
      ready: object.status?.readyReplicas,
      images: object.spec?.template.spec?.containers.map(({ image }) => image),
    })),
    applicationPods: await list(Pod, (pod) =>
      pod.metadata.labels?.app
        ? { version: versionOf(pod), ready: isReady(pod), deleting: pod.metadata.deletionTimestamp !== undefined }
        : { job: pod.metadata.labels?.['batch.kubernetes.io/job-name'], phase: pod.status?.phase },
    ),
    jobs: await list(Job, (job) => ({
      ...named(job),
      ended: job.status?.conditions?.filter(({ status }) => status === 'True').map(({ type }) => type),
    })),
    services: await list(Service, named),
    serviceAccounts: await list(ServiceAccount, named),
    roles: await list(Role, named),
    roleBindings: await list(RoleBinding, named),
    leases: await list(Lease, (lease) => ({ ...named(lease), held: Boolean(lease.spec?.holderIdentity) })),
  };
}

/** Names of a run's own account carry the beginning of its UID. */
function withoutUid(name: string, uid = ''): string {
  return uid ? name.replace(uid.slice(0, 8), 'UID') : name;
}

function summary({ metadata, status }: PhaseMigrationLike) {
  return {
    phase: status?.phase,
    current: status?.observedGeneration === metadata.generation,
    conditions: status?.conditions?.map(({ type, status: is, reason }) => `${type}=${is} ${reason}`),
    steps: status?.steps?.map(({ name, state }) => `${name}=${state}`),
    outageIsOver: status?.outage?.endTime !== undefined,
  };
}

type PhaseMigrationLike = Pick<KubeObject, 'metadata'> & {
  status?: {
    phase?: string;
    observedGeneration?: number;
    conditions?: Condition[];
    steps?: { name: string; state: string }[];
    outage?: { endTime?: string };
  };
};

type RunLike = NonNullable<(typeof PhaseMigrationRun)['objectType']>;

/** How a run went: what it recorded, and how often the runner had to be started. */
function course({ spec, status }: RunLike) {
  return {
    direction: spec.direction,
    goal: spec.goal,
    runnerEpoch: spec.runnerEpoch,
    outcome: status?.outcome,
    failure: status?.failure && `${status.failure.step} ${status.failure.reason}`,
    workloads: status?.workloads?.map(({ name, replicas, images }) => ({ name, replicas, images })),
    verification: status?.verificationJobs?.map(({ name, state, epoch }) => `${name}=${state} ${epoch}`),
    reachedGoal: status?.runner?.reachedGoal,
    runnerSteps: status?.runner?.steps?.map(({ name, state }) => `${name}=${state}`),
  };
}
