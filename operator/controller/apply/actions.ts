import { setTimeout as delay } from 'node:timers/promises';
import type { PhaseMigrationRun } from '../../api/resources.ts';
import { OPERATOR_FIELD_MANAGER } from '../../api/names.ts';
import { isAlreadyExists, isNotFound, type KubeClient } from '../../kube/client.ts';
import { Deployment, Job, Role, RoleBinding, ServiceAccount, StatefulSet } from '../../kube/resource-types.ts';
import type { KubeObject, ResourceType } from '../../kube/types.ts';
import type { Action, SeenWorkload, WorkloadRef } from '../decide/decision.ts';
import {
  runnerJob,
  runnerRole,
  runnerRoleBinding,
  runnerServiceAccount,
  type RunnerImage,
} from '../manifests/runner.ts';
import { isOwnedBy } from '../manifests/labels.ts';
import { verificationJobManifest } from '../manifests/verification.ts';

const fieldManager = OPERATOR_FIELD_MANAGER;

/** Carries one action out. Repeating it is harmless. */
export async function applyAction(
  client: KubeClient,
  run: PhaseMigrationRun,
  action: Action,
  runner: RunnerImage,
): Promise<void> {
  const namespace = run.metadata.namespace ?? '';
  switch (action.kind) {
    case 'RestoreRunnerAccess':
      return giveAccess(client, run);
    case 'CreateRunner':
      await giveAccess(client, run);
      return createJob(client, run, runnerJob(run, action.epoch, runner));
    case 'CreateVerificationJob': {
      const verification = run.spec.plan.verification.jobs.find(({ name }) => name === action.verification);
      if (!verification) return;
      return createJob(client, run, verificationJobManifest(run, verification, action, runner));
    }
    case 'DeleteJob':
      return client.delete(Job, { namespace, name: action.name }, { propagationPolicy: 'Background' });
    case 'Scale':
      await client.patch(
        typeOf(action.workload),
        { namespace, name: action.workload.name },
        {
          kind: 'Merge',
          subresource: 'scale',
          body: { metadata: asSeen(action.workload), spec: { replicas: action.replicas } },
          fieldManager,
        },
      );
      return;
    case 'SetImages':
      await client.patch(
        typeOf(action.workload),
        { namespace, name: action.workload.name },
        {
          kind: 'StrategicMerge',
          body: {
            metadata: asSeen(action.workload),
            spec: {
              template: {
                spec: { containers: Object.entries(action.images).map(([name, image]) => ({ name, image })) },
              },
            },
          },
          fieldManager,
        },
      );
      return;
  }
}

/**
 * A request may lie somewhere on its way for minutes and arrive when the run has ended: the API server refuses it (409)
 * if anybody has changed the workload since.
 */
function asSeen({ resourceVersion }: SeenWorkload) {
  return { resourceVersion };
}

async function giveAccess(client: KubeClient, run: PhaseMigrationRun): Promise<void> {
  await Promise.all([
    createOnce(client, ServiceAccount, runnerServiceAccount(run)),
    createOnce(client, Role, runnerRole(run)),
  ]);
  await createBinding(client, runnerRoleBinding(run));
}

function typeOf({ kind }: WorkloadRef): ResourceType<KubeObject> {
  return kind === 'Deployment' ? Deployment : StatefulSet;
}

/** False: it was there before. */
async function createOnce<T extends KubeObject>(
  client: KubeClient,
  type: ResourceType<T>,
  object: T,
): Promise<boolean> {
  try {
    await client.create(type, object, { fieldManager });
    return true;
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
    return false;
  }
}

/** A Job of the same name that is not this run's is not taken for its own: nobody knows what it does. */
async function createJob(client: KubeClient, run: PhaseMigrationRun, job: Job): Promise<void> {
  if (await createOnce(client, Job, job)) return;
  const { namespace, name } = job.metadata;
  const found = await client.get(Job, { namespace, name });
  if (found && !isOwnedBy(run.metadata.uid, found))
    throw new Error(
      `Job ${name} exists in namespace ${namespace} and is not of this run; delete it if nobody needs it.`,
    );
}

const BINDING_ATTEMPTS = 40;
const BINDING_PAUSE_MILLISECONDS = 25;

/**
 * The API server lets nobody bind a Role that grants more than they hold, and looks the Role up in a cache that lags
 * some milliseconds behind the Role's creation: until then it answers that there is none.
 */
async function createBinding(client: KubeClient, binding: RoleBinding): Promise<boolean> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await createOnce(client, RoleBinding, binding);
    } catch (error) {
      if (!isNotFound(error) || attempt === BINDING_ATTEMPTS) throw error;
      await delay(BINDING_PAUSE_MILLISECONDS);
    }
  }
}
