import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** The clone this code belongs to. */
export const cloneRoot = dirname(dirname(import.meta.dirname));

/** Where everything that is downloaded or built is kept, outside the clone and shared by all clones of a user. */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  return join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'phase-migration');
}

/** Where throw-away data of test processes goes. */
export function temporaryFolder(): string {
  return tmpdir();
}
