import { isConflict } from '../kube/client.ts';
import type { Outcome } from '../kube/queue.ts';
import { refOfKey } from '../kube/types.ts';
import { applyMigration } from './apply/apply.ts';
import { decideMigration } from './decide/migration.ts';
import { transitions } from './decide/transitions.ts';
import { gatherMigration } from './gather/gather.ts';
import type { ReconcilerParts } from './reconcile-run.ts';

const LONGEST_CHAIN = 10;

/** Sees to it that the run that a PhaseMigration asks for exists, and sums up what became of it. */
export async function reconcileMigration(
  parts: Pick<ReconcilerParts, 'client' | 'events'>,
  key: string,
): Promise<Outcome> {
  for (let pass = 0; pass < LONGEST_CHAIN; pass++) {
    const seen = await gatherMigration(parts.client, refOfKey(key));
    if (!seen) return { result: 'Done' };
    const decision = decideMigration(seen);
    const { migration } = seen;
    try {
      if (!(await applyMigration(parts.client, migration, decision))) return { result: 'Done' };
    } catch (error) {
      if (isConflict(error)) continue;
      throw error;
    }
    // Only what is in the status now is told: an event about a write that failed would be a lie.
    for (const event of decision.status ? transitions(migration.status, decision.status) : []) {
      parts.events.record({ regarding: migration, ...event });
    }
  }
  return { result: 'RequeueAfter', milliseconds: 1000 };
}
