import { realpathSync } from 'node:fs';
import { join } from 'node:path';
import { contentHash } from './hash.ts';
import { cacheFolder, cloneRoot } from './paths.ts';

/** Names of everything that belongs to one clone, so that two clones side by side never meet. */
export interface Identity {
  /** Path of the clone. */
  clone: string;
  /** Name of the kind cluster, of the network namespace and so on; fits where 15 characters are the limit. */
  name: string;
  /** What is remembered about the clone's cluster. */
  stateFolder: string;
  /** Sockets and process ids; short, because the path of a socket may have 107 characters only. */
  runFolder: string;
}

export function identityOf(clone: string, cache: string): Identity {
  const name = `pm-${contentHash([clone]).slice(0, 10)}`;
  return { clone, name, stateFolder: join(cache, 'clusters', name), runFolder: join('/run/phase-migration', name) };
}

/** The identity of the clone that this code belongs to. */
export function ownIdentity(): Identity {
  return identityOf(realpathSync(cloneRoot), cacheFolder());
}
