import { FINALIZER } from '../../api/names.ts';
import type { PhaseMigration, PhaseMigrationRun } from '../../api/resources.ts';

/** Whether our finalizer holds it; another's (foreground deletion, a policy's) is no business of ours. */
export function isHeld({ metadata }: PhaseMigration | PhaseMigrationRun): boolean {
  return metadata.finalizers?.includes(FINALIZER) ?? false;
}
