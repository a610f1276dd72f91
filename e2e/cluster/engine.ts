/** A Docker engine, and how to run a command where the engine's clusters can be reached. */
export interface Engine {
  /** What to put before a command; empty for the machine's own engine. */
  nsenterPrefix: string[];
  /** Environment that makes docker and kind use it. */
  env: Record<string, string>;
  /** Whether it was started here, and so has no way to a registry. */
  isOwn: boolean;
}

/** The engine that the shell is set up for. */
export const machineEngine: Engine = { nsenterPrefix: [], env: {}, isOwn: false };
