import type { CommandOptions, CommandResult } from './command.ts';
import type { Progress } from './progress.ts';

/** A whole Kubernetes cluster and how to reach it. */
export interface Cluster {
  /** For people: the kind cluster's name, or the name of the kubeconfig context. */
  name: string;
  provider: ProviderName;
  /** Path of a kubeconfig file whose only context is this cluster. */
  kubeconfig: string;
  /** What to put before a command that talks to the cluster's addresses; empty where no prefix is needed. */
  nsenterPrefix: string[];
  /** Environment in which `kubectl` and `helm` are found and use this cluster. */
  env: Record<string, string>;
  /** Runs a command to its end where the cluster can be reached, with `env`; rejects unless it exits with 0. */
  exec(command: string[], options?: CommandOptions): Promise<CommandResult>;
  /** Runs a command in the only node, past Kubernetes; absent where nobody may. */
  inNode?(command: string[]): Promise<CommandResult>;
  /** Makes the images in docker-archives usable by pods (imagePullPolicy IfNotPresent or Never). */
  loadImages(archives: string[]): Promise<void>;
  /** Removes the cluster with everything in it; an existing cluster is left alone. */
  down(): Promise<void>;
}

export type ProviderName = 'kind' | 'existing';

export interface OpenOptions {
  /** What `PHASE_MIGRATION_CLUSTER` says, or kind, when left out. */
  provider?: ProviderName;
  progress: Progress;
  /** Use an existing context that is not on this machine without asking. */
  yes?: boolean;
}
