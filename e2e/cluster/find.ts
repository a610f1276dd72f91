import { openExisting } from './existing.ts';
import { findKind, isHalfMade } from './kind.ts';
import { silent } from './progress.ts';
import { providerFrom, type Cluster } from './provider.ts';

/**
 * The cluster that is in use, without changing anything.
 *
 * @throws Error saying how to bring one up when there is none, or how to repair one that is half made
 */
export async function findCluster(): Promise<Cluster> {
  // A look at an existing cluster changes nothing there, so nobody is asked.
  if (providerFrom(process.env) === 'existing') return openExisting({ progress: silent, yes: true });
  const cluster = await findKind(silent);
  if (cluster) return cluster;
  if (await isHalfMade())
    throw new Error(
      'A cluster is half made: `npm run cluster -- up` repairs it, `npm run cluster -- down` removes it.',
    );
  throw new Error('No cluster is up. Bring one up with: npm run cluster -- up');
}
