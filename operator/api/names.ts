/** Names that are part of the API contract: groups, labels, annotations, finalizers and field managers. */
export const GROUP = 'phasemigration.io';
export const VERSION = 'v1alpha1';
export const API_VERSION = `${GROUP}/${VERSION}`;

/** Holds a PhaseMigration or a run until what was begun is undone or finished. */
export const FINALIZER = `${GROUP}/finish-or-undo`;
/**
 * What operator and runner of this version say to each other in a PhaseMigrationRun. Raised whenever an earlier version
 * would carry a run of this one out wrongly.
 */
export const RUN_PROTOCOL = 2;
/** Name of a PhaseMigration's attempt. */
export function runNameOf(migration: string, attempt: number): string {
  return `${migration}-${attempt}`;
}

/** Set to a new value (a timestamp, say) to try again after a failure without changing the spec. */
export const RETRY_ANNOTATION = `${GROUP}/retry-requested-at`;
/** On every object the operator creates for a run: the run's name. */
export const RUN_LABEL = `${GROUP}/run`;
/** What an object the operator created is for: `runner` or `verification`. */
export const COMPONENT_LABEL = `${GROUP}/component`;
export const MANAGED_BY_LABEL = 'app.kubernetes.io/managed-by';
export const OPERATOR_NAME = 'phasemigration-operator';
/** Field manager of everything the operator writes; the runner's differs, so that each owns its own fields. */
export const OPERATOR_FIELD_MANAGER = OPERATOR_NAME;
export const RUNNER_FIELD_MANAGER = 'phasemigration-runner';
