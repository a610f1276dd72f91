import type { Logger } from '../kube/logger.ts';
import type { Gate } from './gate.ts';
import type { RunPort } from './port.ts';

/** What one start of the runner is given. */
export interface RunnerOptions {
  port: RunPort;
  /**
   * The Secret's value as it is now: a password may be changed while a run goes on. Checked here, because a bad one is
   * the run's failure and not the pod's.
   */
  databaseUrl: () => string | undefined;
  epoch: number;
  podName?: string;
  podAddress?: string;
  /** What people call the cluster, for those who are told that this run works on the database. */
  clusterName?: string;
  folders: { migrations: string; backup: string };
  gate?: Gate;
  logger: Logger;
  /** Aborts when the pod is asked to end. */
  signal: AbortSignal;
}
