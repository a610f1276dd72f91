import { COMPONENT_LABEL } from '../../api/names.ts';
import type { Draft } from './draft.ts';

/**
 * What a person must do where the scheduler finds the backup's volume claim missing: without it no start of the runner
 * begins, also in an outage. One that is deleted while the runner uses it stays until the last pod that used it is gone,
 * and ended ones of older starts and runs stay as long as their runs.
 */
export function claimAdvice({ plan, seen }: Draft, scheduler: string): string | undefined {
  const { claimName } = plan.backup;
  const claim = `PersistentVolumeClaim ${claimName}`;
  if (scheduler.includes(`persistentvolumeclaim "${claimName}" is being deleted`)) {
    const ended = `-l ${COMPONENT_LABEL}=runner --field-selector=status.phase!=Running,status.phase!=Pending`;
    return `${claim} is being deleted, and ended pods that used it hold that up. What is to be kept of its archives is kept by setting persistentVolumeReclaimPolicy of its volume to Retain first. Then delete those pods (kubectl -n ${seen.run.metadata.namespace} delete pods ${ended}) and create the claim again: the run goes on by itself.`;
  }
  if (scheduler.includes(`persistentvolumeclaim "${claimName}" not found`))
    return `${claim} does not exist: create it (again), and the run goes on by itself.`;
  return undefined;
}
