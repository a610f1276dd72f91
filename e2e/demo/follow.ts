import type { PhaseMigration } from '../../operator/api/resources.ts';
import type { Progress } from '../cluster/progress.ts';
import type { Cluster } from '../cluster/provider.ts';
import { openApi } from '../stack/api.ts';
import { waitUntil } from '../stack/wait.ts';
import { newWords } from './tell.ts';

/** Which run to follow: the first one, or the one that comes after `previousRun`. */
export interface Followed {
  namespace: string;
  name: string;
  previousRun?: string;
  /** Deadline; 300 when left out. */
  seconds?: number;
}

/** A PhaseMigration whose run has ended, as the demonstration tells of it. */
export interface Seen {
  phase: string;
  message: string;
  warnings: string[];
}

/**
 * Watches a PhaseMigration until its run has ended; tells every new sentence once.
 *
 * @throws WaitedInVain with the last sentence when it has not ended by the deadline
 */
export async function follow(cluster: Cluster, followed: Followed, progress: Progress): Promise<Seen> {
  const { namespace, name, previousRun, seconds = 300 } = followed;
  const path = `/apis/phasemigration.io/v1alpha1/namespaces/${namespace}/phasemigrations`;
  const api = await openApi(cluster);
  let last = '';
  const ended = ([migration]: PhaseMigration[]): Seen | undefined => {
    const { phase = '', runName, conditions = [], warnings = [] } = migration?.status ?? {};
    if (!runName || runName === previousRun) return undefined;
    const message = conditions.find(({ type }) => type === 'Ready')?.message ?? '';
    if (message && message !== last) progress(newWords(last, message));
    last = message;
    const isReconciling = conditions.some(({ type, status }) => type === 'Reconciling' && status === 'True');
    const ends = ['Succeeded', 'Failed', 'RolledBack', 'NeedsHuman'];
    return ends.includes(phase) && !isReconciling ? { phase, message, warnings } : undefined;
  };
  const options = {
    within: seconds,
    until: `the run of PhaseMigration ${name} has ended`,
    last: () => last || 'it has no status',
  };
  try {
    return await waitUntil(api, { path, fieldSelector: `metadata.name=${name}` }, ended, options);
  } finally {
    await api.close();
  }
}
