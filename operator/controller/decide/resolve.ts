import type { PhaseMigrationRunSpec, PhaseMigrationRunStatus } from '../../api/phase-migration-run.ts';
import type { PhaseMigration, PhaseMigrationRun } from '../../api/resources.ts';
import type { Resolution } from '../../api/resolution.ts';
import { RUNNER_ROLLBACK_STEPS } from '../../api/step-names.ts';
import type { RunnerStep } from '../../api/step.ts';
import type { Draft } from './draft.ts';
import { cut } from './sentence.ts';
import { isoTime } from './time.ts';

/**
 * What a person decided about a run that ended as NeedsHuman: it is recorded with the message that it answers, and the
 * run goes on from where it stood. The same decision is never carried out twice; one that cannot be is refused by name.
 */
export function resolve(draft: Draft): 'Stop' | undefined {
  const asked = pendingResolution(draft.seen.migration, draft.seen.run);
  if (!asked) return undefined;
  const refusal = refusalOf(draft, asked);
  record(draft, asked, refusal);
  if (refusal) draft.notice({ type: 'Warning', reason: 'ResolutionRefused', message: refusal });
  else reopen(draft, asked);
  return 'Stop';
}

/** What a person has decided about a run that waits for it, and nobody has answered yet. */
export function pendingResolution(
  migration: PhaseMigration | undefined,
  run: PhaseMigrationRun,
): Resolution | undefined {
  const { status = {} } = run;
  const asked = migration?.spec.resolution;
  if (status.outcome !== 'NeedsHuman' || !asked || !isAbout(asked, run)) return undefined;
  return asked.number === nextNumber(status) ? asked : undefined;
}

/** A decision outlives its run in a manifest, and a PhaseMigration that is made anew begins with the same name again. */
export function isAbout({ runName, runUID }: Resolution, { metadata }: PhaseMigrationRun): boolean {
  return runName === metadata.name && runUID === metadata.uid;
}

/** The number that the next decision about a run must have. */
export function nextNumber({ resolutions = [] }: PhaseMigrationRunStatus): number {
  return resolutions.length + 1;
}

/** Whether the runner was what failed: else only workloads are waited for, and the database is as it was before. */
export function runnerMustGoOn({ goal }: PhaseMigrationRunSpec, { runner }: PhaseMigrationRunStatus): boolean {
  return goal === 'RolledBack' && runner?.reachedGoal !== 'RolledBack';
}

function refusalOf({ recorded, seen: { run } }: Draft, { action, archive }: Resolution): string | undefined {
  const { restorePoint, backup } = recorded.runner ?? {};
  if (action !== 'Retry' && !runnerMustGoOn(run.spec, recorded))
    return `${action} was decided, but nothing is to be decided about the database any more: it was undone, and only the application did not come back. Mend the workload and decide Retry.`;
  if (action === 'RollBack' && !['Taken', 'PuttingBack'].includes(restorePoint?.state ?? ''))
    return 'RollBack was decided, but there is no restore point (any more). Decide RestoreBackup, or put the database right and decide Accept.';
  if (action === 'RestoreBackup' && archive !== backup?.archive)
    return `RestoreBackup was decided with archive ${archive}, but the backup of this run is ${backup?.archive ?? 'missing'}.`;
  return undefined;
}

function record(draft: Draft, { number, action, archive }: Resolution, refusal: string | undefined): void {
  const { resolutions = [], conditions } = draft.recorded;
  const { migration, now } = draft.seen;
  const requestedBy = migration?.metadata.managedFields?.findLast(ownsResolution)?.manager;
  const message = refusal ?? conditions?.find(({ type }) => type === 'Stalled')?.message ?? '';
  const next = {
    ...{ number, action, state: refusal ? ('Refused' as const) : ('Begun' as const), time: isoTime(now) },
    ...(archive ? { archive } : {}),
    ...(requestedBy ? { requestedBy } : {}),
    message: cut(message),
  };
  draft.record({ resolutions: [...resolutions, next] });
}

function ownsResolution({ fieldsV1 }: { fieldsV1?: Record<string, unknown> }): boolean {
  return Object.hasOwn(fieldsV1?.['f:spec'] ?? {}, 'f:resolution');
}

/** A new start of the runner carries it out: the one that failed may hold sessions and beliefs of before. */
function reopen(draft: Draft, asked: Resolution): void {
  const { run } = draft.seen;
  const { number, action } = asked;
  if (runnerMustGoOn(run.spec, draft.recorded) && run.spec.resolution?.number !== number)
    draft.handOver({ number, ...whatIsTried(run.spec, asked), runnerEpoch: run.spec.runnerEpoch + 1 });
  draft.record({ outcome: undefined, completionTime: undefined });
  draft.dropStep('RollbackScaleUp');
  draft.notice({
    type: 'Normal',
    reason: 'ResolutionBegun',
    message: `${action} was decided (resolution ${number}) and is being carried out.`,
  });
}

/** Retry means what was decided before, if anything was: what a person accepted must not be undone by it. */
function whatIsTried({ resolution }: PhaseMigrationRunSpec, asked: Resolution) {
  const { action, archive } = asked.action === 'Retry' && resolution ? resolution : asked;
  return { action, ...(archive ? { archive } : {}) };
}

/** A decision that the runner has not read yet: what its status says of failed steps is of before. */
export function awaitsResolution(spec: PhaseMigrationRunSpec, { runner }: PhaseMigrationRunStatus): boolean {
  return spec.resolution !== undefined && runner?.observedResolution !== spec.resolution.number;
}

/** Steps of the way back that failed since the last decision of a person. */
export function failedRollbackStep(draft: Draft): RunnerStep | undefined {
  if (awaitsResolution(draft.seen.run.spec, draft.recorded)) return undefined;
  return RUNNER_ROLLBACK_STEPS.map((name) => draft.runnerStep(name)).find((step) => step?.state === 'Failed');
}

/** The migrated database was accepted: the version that it was made for is started, not the old one. */
export function isAcceptedAsMigrated(spec: PhaseMigrationRunSpec, { runner }: PhaseMigrationRunStatus): boolean {
  return runner?.acceptedRevision !== undefined && runner.acceptedRevision === spec.targetRevision;
}
