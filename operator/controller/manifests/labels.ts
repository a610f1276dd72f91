import { COMPONENT_LABEL, GROUP, MANAGED_BY_LABEL, OPERATOR_NAME, RUN_LABEL } from '../../api/names.ts';
import type { PhaseMigrationRun } from '../../api/resources.ts';
import type { KubeObject, OwnerReference } from '../../kube/types.ts';

/** Which start of the runner an object belongs to. */
export const EPOCH_LABEL = `${GROUP}/epoch`;
/** Which verification a Job carries out. */
export const VERIFICATION_LABEL = `${GROUP}/verification`;

export function labelsOf(
  run: PhaseMigrationRun,
  component: 'runner' | 'verification',
  epoch: number,
): Record<string, string> {
  return {
    [MANAGED_BY_LABEL]: OPERATOR_NAME,
    [RUN_LABEL]: run.metadata.name,
    [COMPONENT_LABEL]: component,
    [EPOCH_LABEL]: String(epoch),
  };
}

/**
 * Without blockOwnerDeletion: a foreground deletion (Argo CD's prune) would delete what is blocking first, and so every
 * start of the runner that is undoing the migration.
 */
export function ownedBy(owner: KubeObject): OwnerReference[] {
  const { apiVersion, kind, metadata } = owner;
  return [{ apiVersion, kind, name: metadata.name, uid: metadata.uid ?? '', controller: true }];
}

/** An object of an earlier run of the same name is not this run's. */
export function isOwnedBy(runUid: string | undefined, { metadata }: KubeObject): boolean {
  return metadata.ownerReferences?.some(({ uid }) => uid === runUid) ?? false;
}

/** What the restricted Pod Security Standard asks of a container, with a read-only root. */
export const restrictedContainer = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ['ALL'] },
};

export const restrictedPod = { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } };
