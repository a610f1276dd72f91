import type { Goal, PhaseMigrationRunStatus, RecordedWorkload } from '../../api/phase-migration-run.ts';
import type { RunResolution } from '../../api/resolution.ts';
import type { Reason } from '../../api/reasons.ts';

/** A write that apply carries out. Every action is idempotent and justified by what is recorded already. */
export type Action =
  | { kind: 'CreateRunner'; epoch: number }
  | { kind: 'DeleteJob'; name: string }
  | { kind: 'Scale'; workload: SeenWorkload; replicas: number }
  | { kind: 'SetImages'; workload: SeenWorkload; images: Record<string, string> }
  /** Makes again what the runner needs to report, where somebody deleted it. Is no progress of its own. */
  | { kind: 'RestoreRunnerAccess' }
  | { kind: 'CreateVerificationJob'; verification: string; epoch: number; runnerAddress: string };

export type WorkloadRef = Pick<RecordedWorkload, 'kind' | 'name'>;

/** A workload as it was when it was decided to change it. */
export type SeenWorkload = WorkloadRef & { resourceVersion: string };

/** The status fields of a run that the operator writes; `runner` is the runner's. */
export type OperatorStatus = Omit<PhaseMigrationRunStatus, 'runner'>;

/** Something people should hear of that no step's outcome tells. */
export interface Notice {
  type: 'Normal' | 'Warning';
  reason: Reason;
  message: string;
}

/** The next writes for a run. Written in this order: finalizer, spec, status, actions. */
export interface RunDecision {
  finalizer?: 'Add' | 'Remove';
  spec?: { goal?: Goal; runnerEpoch?: number; resolution?: RunResolution };
  status?: OperatorStatus;
  actions: Action[];
  notices: Notice[];
  /** When to look again although nothing changes, in milliseconds. */
  lookAgainAfter?: number;
}
