import { RUN_PROTOCOL } from '../../api/names.ts';
import type { PhaseMigrationRun } from '../../api/resources.ts';

/** A run that a newer version began: this one would carry out what it does not understand. */
export function needsNewerOperator({ spec }: PhaseMigrationRun): boolean {
  return spec.protocol > RUN_PROTOCOL;
}

/** What is true, and what to do. */
export function newerOperatorMessage({ metadata, spec }: PhaseMigrationRun): string {
  return `PhaseMigrationRun ${metadata.name} was begun by a newer version of the operator (protocol ${spec.protocol}; this one understands ${RUN_PROTOCOL}): it is left alone, as it stands. Install that version again; it goes on where it was.`;
}
