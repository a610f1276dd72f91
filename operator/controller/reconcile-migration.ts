import type { PhaseMigration } from '../api/resources.ts';
import { isConflict, type KubeClient } from '../kube/client.ts';
import type { EventRecorder } from '../kube/events.ts';
import type { Outcome } from '../kube/queue.ts';
import { refOfKey, type ObjectRef } from '../kube/types.ts';
import { applyMigration } from './apply/apply.ts';
import { decideMigration, type MigrationDecision, type MigrationObservation } from './decide/migration.ts';
import { transitions } from './decide/transitions.ts';
import { gatherMigration } from './gather/gather.ts';
import { tellRefusedWrite } from './refused-write.ts';

const LONGEST_CHAIN = 10;

export interface MigrationParts {
  client: KubeClient;
  events: Pick<EventRecorder, 'record'>;
  /** Has a run looked at. */
  wakeRun: (ref: ObjectRef) => void;
}

/** Sees to it that the run that a PhaseMigration asks for exists, and sums up what became of it. */
export async function reconcileMigration(parts: MigrationParts, key: string): Promise<Outcome> {
  for (let pass = 0; pass < LONGEST_CHAIN; pass++) {
    const seen = await gatherMigration(parts.client, refOfKey(key));
    if (!seen) return { result: 'Done' };
    const decision = decideMigration(seen);
    const { migration } = seen;
    if (asksAnew(migration)) wakeLatestRun(parts, migration);
    try {
      if (!(await applyMigration(parts.client, migration, decision))) return { result: 'Done' };
    } catch (error) {
      if (isConflict(error)) continue;
      tellRefusedWrite(parts.events, migration, 'Prepare', error);
      throw error;
    }
    // Only what is in the status now is told: an event about a write that failed would be a lie.
    for (const event of decision.status ? transitions(migration.status, decision.status) : []) {
      parts.events.record({ regarding: migration, ...event });
    }
    if (isSummaryOnly(seen, decision)) return { result: 'Done' };
  }
  return { result: 'RequeueAfter', milliseconds: 1000 };
}

/** Nothing follows from a summary of a run that is there; what changes next wakes the queue. */
function isSummaryOnly({ runs }: MigrationObservation, { finalizer, createRun, status }: MigrationDecision): boolean {
  return !finalizer && !createRun && runs.some(({ metadata }) => metadata.name === status?.runName);
}

/** What people want has changed since the last summary: a run that waits or goes on may have to do otherwise. */
function asksAnew({ metadata, status }: PhaseMigration): boolean {
  return metadata.generation !== status?.observedGeneration || metadata.deletionTimestamp !== undefined;
}

function wakeLatestRun({ wakeRun }: MigrationParts, { metadata, status }: PhaseMigration): void {
  if (status?.runName) wakeRun({ namespace: metadata.namespace, name: status.runName });
}
