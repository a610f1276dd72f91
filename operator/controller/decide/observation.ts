import type { PhaseMigration, PhaseMigrationRun } from '../../api/resources.ts';

/** What gather saw at one moment; everything decide knows. Times are milliseconds since the epoch. */
export interface RunObservation {
  now: number;
  run: PhaseMigrationRun;
  /** Absent when the PhaseMigration is gone. */
  migration?: PhaseMigration;
  workloads: WorkloadObservation[];
  runnerJobs: JobObservation[];
  verificationJobs: JobObservation[];
  /** Workloads of this run that another run has in its hands; looked for just before the outage. */
  workloadsInUse: WorkloadInUse[];
  /** Smoke tests that nobody will be able to ask; looked for just before the outage. */
  unaskableSmokeTests: UnaskableSmokeTest[];
  /** Answers to the smoke tests; empty outside the SmokeTest step. */
  smokeTests: SmokeTestObservation[];
}

export interface UnaskableSmokeTest {
  name: string;
  /** A clause for people: `Service x does not exist in namespace y`. */
  why: string;
}

export interface WorkloadInUse {
  kind: 'Deployment' | 'StatefulSet';
  name: string;
  /** The PhaseMigrationRun that has it. */
  run: string;
}

export interface WorkloadObservation {
  kind: 'Deployment' | 'StatefulSet';
  name: string;
  /** Absent when the workload does not exist. */
  found?: {
    uid: string;
    /** Of the object as it was decided on: a write that comes late changes nothing any more. */
    resourceVersion: string;
    /** spec.replicas */
    replicas: number;
    /** The controller has seen the current spec. */
    upToDate: boolean;
    updatedReplicas: number;
    readyReplicas: number;
    selector: string;
    /** Why its pods would not all get a new template; undefined when they would. */
    heldBack?: string;
    /** Why no pod can be made, in the words of its controller. */
    replicaFailure?: string;
    images: Record<string, string>;
  };
  pods: PodObservation[];
}

export interface PodObservation {
  name: string;
  /** A deletion timestamp is set: the kubelet was told to stop it. */
  terminating: boolean;
  /** Phase Succeeded or Failed: no container runs any more. */
  ended: boolean;
  ready: boolean;
  /** The kubelet's own sentence on why a container does not run. */
  problem?: PodProblem;
}

export interface PodProblem {
  reason: string;
  message: string;
  restarts: number;
}

export interface JobObservation {
  name: string;
  /** The runner's epoch that the Job belongs to. */
  epoch: number;
  /** For verification Jobs: the verification's name. */
  verification?: string;
  deleting: boolean;
  createdAt?: number;
  finished?: 'Complete' | 'Failed';
  finishedAt?: number;
  pod?: JobPodObservation;
}

export interface JobPodObservation extends PodObservation {
  address?: string;
  failed: boolean;
  succeeded: boolean;
  /** Init containers have begun: the pod is scheduled and its first images are there. */
  started: boolean;
  /** The main container has begun. */
  running: boolean;
  exitCode?: number;
  /** The kubelet's word for why it ended, for instance OOMKilled. */
  endReason?: string;
  /** Its last lines (termination message). */
  lastLines?: string;
}

export interface SmokeTestObservation {
  name: string;
  passed: boolean;
  /** What was answered, for people. */
  answer: string;
}
