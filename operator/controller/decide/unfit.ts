import type { Workload } from '../../api/plan.ts';
import type { Reason } from '../../api/reasons.ts';
import type { Draft } from './draft.ts';
import type { WorkloadObservation } from './observation.ts';
import { title } from './workloads.ts';

interface Unfit {
  step: 'Preflight';
  reason: Reason;
  message: string;
}

/** Before the outage only: later a missing workload is the bring-back's affair. */
export function unfitWorkload(draft: Draft): Unfit | undefined {
  if (draft.step('ScaleDown')) return undefined;
  for (const planned of draft.plan.workloads) {
    const found = draft.seen.workloads.find(({ kind, name }) => kind === planned.kind && name === planned.name)?.found;
    const unfit = found ? whyUnfit(draft, planned, found) : notFound(draft, planned);
    if (unfit) return { step: 'Preflight', ...unfit };
  }
  return undefined;
}

type Why = Omit<Unfit, 'step'>;

function notFound(draft: Draft, planned: Workload): Why {
  const { namespace } = draft.seen.run.metadata;
  return {
    reason: 'WorkloadNotFound',
    message: `${title(planned)} does not exist in namespace ${namespace}. Correct spec.workloads, or create it and request a retry.`,
  };
}

type Found = NonNullable<WorkloadObservation['found']>;

function whyUnfit(draft: Draft, planned: Workload, found: Found): Why | undefined {
  if (found.heldBack && planned.images)
    return {
      reason: 'WorkloadHeldBack',
      message: `${title(planned)} would not give all its pods the new images: ${found.heldBack}. Resume it (or set the partition to 0) and request a retry.`,
    };
  const missing = Object.keys(planned.images ?? {}).find((container) => !(container in found.images));
  if (missing !== undefined)
    return {
      reason: 'ContainerNotFound',
      message: `${title(planned)} has no container ${JSON.stringify(missing)}; it has ${Object.keys(found.images).join(', ')}. Correct spec.workloads[].images.`,
    };
  return isReadyForOutage(draft) && !isInUse(draft, planned) ? imagesAlreadySet(draft, planned, found) : undefined;
}

/** Its images are then what the other run has set, and may be others again when that run has ended. */
function isInUse({ seen }: Draft, planned: Workload): boolean {
  return seen.workloadsInUse.some(({ kind, name }) => kind === planned.kind && name === planned.name);
}

/** Not asked of a run that finds its work done: there the new images are as they should be. */
function isReadyForOutage({ runner }: Draft): boolean {
  return runner?.reachedGoal === 'Prepared' && !runner.alreadyAtTarget;
}

/**
 * What is found now is what an undone run brings back. Images that somebody set too early (a commit with the
 * PhaseMigration) would come back on a schema that they were not made for, and no pod of the version that still serves.
 */
function imagesAlreadySet(draft: Draft, planned: Workload, found: Found): Why | undefined {
  const images = Object.entries(planned.images ?? {});
  if (images.length === 0 || images.some(([container, image]) => found.images[container] !== image)) return undefined;
  const { startRevision, targetRevision } = draft.seen.run.spec;
  const set = images.map(([container, image]) => `${container}=${image}`).join(', ');
  return {
    reason: 'ImagesAlreadySet',
    message: `${title(planned)} already has the images that belong to revision ${targetRevision} (${set}): if the migration had to be undone, they would come back on ${startRevision}. Set the images that belong to ${startRevision}, and leave the new ones to this run; or leave images out of spec.workloads if they get on with both revisions. Then request a retry.`,
  };
}

/** Found out after the migration, it would have been undone for a misspelt name. */
export function unaskableSmokeTest(draft: Draft): Unfit | undefined {
  const [unaskable] = draft.seen.unaskableSmokeTests;
  const isAsked = draft.seen.run.spec.direction === 'Up' && !draft.step('ScaleDown') && isReadyForOutage(draft);
  if (!unaskable || !isAsked) return undefined;
  const { name, why } = unaskable;
  const message = `Smoke test "${name}" cannot be asked: ${why}. Correct spec.smokeTests, or create the Service and request a retry.`;
  return { step: 'Preflight', reason: 'ServiceNotFound', message };
}
