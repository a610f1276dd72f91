import type { PhaseMigrationRunSpec, PhaseMigrationRunStatus } from './phase-migration-run.ts';
import type { PhaseMigrationSpec, PhaseMigrationStatus } from './phase-migration.ts';

/** The part of metav1.ObjectMeta that the operator reads. Times are RFC 3339 strings. */
export interface Metadata {
  name: string;
  namespace?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  finalizers?: string[];
  /** Who wrote which fields; the fields as a tree of `f:NAME` keys. */
  managedFields?: { manager?: string; time?: string; fieldsV1?: Record<string, unknown> }[];
  ownerReferences?: {
    apiVersion: string;
    kind: string;
    name: string;
    uid: string;
    controller?: boolean;
  }[];
}

export interface PhaseMigration {
  apiVersion: string;
  kind: string;
  metadata: Metadata;
  spec: PhaseMigrationSpec;
  status?: PhaseMigrationStatus;
}

export interface PhaseMigrationRun {
  apiVersion: string;
  kind: string;
  metadata: Metadata;
  spec: PhaseMigrationRunSpec;
  status?: PhaseMigrationRunStatus;
}
