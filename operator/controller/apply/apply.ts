import { FINALIZER, OPERATOR_FIELD_MANAGER } from '../../api/names.ts';
import type {
  Metadata,
  PhaseMigration as MigrationObject,
  PhaseMigrationRun as RunObject,
} from '../../api/resources.ts';
import { isAlreadyExists, type KubeClient } from '../../kube/client.ts';
import type { KubeObject, ResourceType } from '../../kube/types.ts';
import type { RunDecision } from '../decide/decision.ts';
import type { MigrationDecision } from '../decide/migration.ts';
import type { RunnerImage } from '../manifests/runner.ts';
import { PhaseMigration, PhaseMigrationRun } from '../resource-types.ts';
import { applyAction } from './actions.ts';
import { statusPatch } from './status-patch.ts';

const fieldManager = OPERATOR_FIELD_MANAGER;

/**
 * Carries a run's decision out: finalizer, spec, status, actions. Writes to the run carry the resourceVersion that was
 * decided on, so that a leader that lost its lease without noticing cannot overwrite its successor. True if anything
 * was written.
 */
export async function applyRun(
  client: KubeClient,
  run: RunObject,
  decision: RunDecision,
  runner: RunnerImage,
): Promise<boolean> {
  let object = run;
  if (decision.finalizer) {
    await writeFinalizers(client, PhaseMigrationRun, run.metadata, decision.finalizer);
    return true;
  }
  if (decision.spec) {
    const body = { metadata: precondition(object.metadata), spec: decision.spec };
    object = await client.patch(PhaseMigrationRun, refOf(object.metadata), { kind: 'Merge', body, fieldManager });
  }
  const status = decision.status && statusPatch(run.status, decision.status, (field) => field !== 'runner');
  if (status) {
    const body = { metadata: precondition(object.metadata), status };
    await client.patch(PhaseMigrationRun, refOf(object.metadata), {
      kind: 'Merge',
      subresource: 'status',
      body,
      fieldManager,
    });
  }
  await Promise.all(decision.actions.map((action) => applyAction(client, run, action, runner)));
  const isProgress = decision.actions.some(({ kind }) => kind !== 'RestoreRunnerAccess');
  return decision.spec !== undefined || status !== undefined || isProgress;
}

/** Carries a PhaseMigration's decision out: finalizer, status, new run. True if anything was written. */
export async function applyMigration(
  client: KubeClient,
  migration: MigrationObject,
  decision: MigrationDecision,
): Promise<boolean> {
  const { metadata } = migration;
  const status = decision.status && statusPatch(migration.status, decision.status);
  if (status) {
    const body = { metadata: precondition(metadata), status };
    await client.patch(PhaseMigration, refOf(metadata), { kind: 'Merge', subresource: 'status', body, fieldManager });
  }
  if (decision.finalizer) {
    const current = status ? await client.get(PhaseMigration, refOf(metadata)) : migration;
    if (current) await writeFinalizers(client, PhaseMigration, current.metadata, decision.finalizer);
    return true;
  }
  if (decision.createRun) {
    try {
      await client.create(PhaseMigrationRun, decision.createRun, { fieldManager });
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
    }
  }
  return status !== undefined || decision.createRun !== undefined;
}

async function writeFinalizers<T extends KubeObject>(
  client: KubeClient,
  type: ResourceType<T>,
  metadata: Metadata,
  change: 'Add' | 'Remove',
) {
  const others = (metadata.finalizers ?? []).filter((finalizer) => finalizer !== FINALIZER);
  const finalizers = change === 'Add' ? [...others, FINALIZER] : others;
  const body = { metadata: { ...precondition(metadata), finalizers } };
  await client.patch(type, refOf(metadata), { kind: 'Merge', body, fieldManager });
}

function precondition({ resourceVersion }: Metadata) {
  return { resourceVersion };
}

function refOf({ namespace, name }: Metadata) {
  return { namespace, name };
}
