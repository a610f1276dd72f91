import { COMPONENT_LABEL, RUN_LABEL } from '../../api/names.ts';
import type { KubeClient, ListOptions } from '../../kube/client.ts';
import { Job, Pod } from '../../kube/resource-types.ts';
import type { JobObservation } from '../decide/observation.ts';
import { EPOCH_LABEL, isOwnedBy, VERIFICATION_LABEL } from '../manifests/labels.ts';
import { observeJobPod } from './pods.ts';
import type { Surroundings } from './surroundings.ts';

export interface RunJobs {
  runnerJobs: JobObservation[];
  verificationJobs: JobObservation[];
}

/** Reads the Jobs of a run and their pods. */
export async function observeJobs(
  client: KubeClient,
  namespace: string,
  run: Pick<Surroundings, 'name' | 'uid'>,
  options: ListOptions,
): Promise<RunJobs> {
  const selection = { namespace, labelSelector: `${RUN_LABEL}=${run.name}` };
  const [jobs, pods] = await Promise.all([client.list(Job, selection, options), client.list(Pod, selection, options)]);
  return jobsOf(run, jobs.items, pods.items);
}

/** Those of a run among Jobs that carry its name: an earlier run's of the same name may not have been collected yet. */
export function jobsOf(run: Pick<Surroundings, 'uid'>, jobs: Job[], pods: Pod[]): RunJobs {
  const observed = jobs
    .filter((job) => isOwnedBy(run.uid, job))
    .map((job) => ({ component: job.metadata.labels?.[COMPONENT_LABEL], job: observeJob(job, pods) }));
  const ofComponent = (wanted: string) =>
    observed.filter(({ component }) => component === wanted).map(({ job }) => job);
  return { runnerJobs: ofComponent('runner'), verificationJobs: ofComponent('verification') };
}

function observeJob(job: Job, pods: Pod[]): JobObservation {
  const { metadata, status } = job;
  // Failed and Complete are final; FailureTarget and SuccessCriteriaMet only announce them.
  const final = status?.conditions?.find(
    ({ type, status }) => (type === 'Complete' || type === 'Failed') && status === 'True',
  );
  const own = pods
    .filter((pod) => pod.metadata.ownerReferences?.some(({ uid }) => uid === metadata.uid))
    .sort((one, other) => (one.metadata.creationTimestamp ?? '').localeCompare(other.metadata.creationTimestamp ?? ''));
  const pod = own.at(-1);
  const finishedAt = final?.lastTransitionTime ?? pod?.status?.containerStatuses?.[0]?.state?.terminated?.finishedAt;
  return {
    name: metadata.name,
    epoch: Number(metadata.labels?.[EPOCH_LABEL] ?? 0),
    verification: metadata.labels?.[VERIFICATION_LABEL],
    createdAt: metadata.creationTimestamp ? Date.parse(metadata.creationTimestamp) : undefined,
    deleting: metadata.deletionTimestamp !== undefined,
    finished: final?.type as 'Complete' | 'Failed' | undefined,
    finishedAt: finishedAt ? Date.parse(finishedAt) : undefined,
    pod: pod && observeJobPod(pod, metadata.labels?.[COMPONENT_LABEL] ?? ''),
  };
}
