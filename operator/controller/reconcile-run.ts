import { isConflict, type KubeClient } from '../kube/client.ts';
import type { EventRecorder } from '../kube/events.ts';
import type { Logger } from '../kube/logger.ts';
import type { Outcome } from '../kube/queue.ts';
import { refOfKey } from '../kube/types.ts';
import { applyRun } from './apply/apply.ts';
import { isIrrevocable } from './decide/irrevocable.ts';
import { decideRun } from './decide/run.ts';
import type { RunDecision } from './decide/decision.ts';
import type { RunObservation } from './decide/observation.ts';
import { gatherRun } from './gather/gather.ts';
import { surroundingsOf, type Surroundings } from './gather/surroundings.ts';
import { tellRefusedWrite } from './refused-write.ts';
import type { QuickLooks } from './quick-looks.ts';
import type { RunnerImage } from './manifests/runner.ts';
import type { Turns } from './turns.ts';
import type { WorkloadWatches } from './workload-watches.ts';

export interface ReconcilerParts {
  client: KubeClient;
  events: EventRecorder;
  logger: Logger;
  runner: RunnerImage;
  watches: WorkloadWatches;
  looks: QuickLooks;
  /** Outages are begun one after the other: each must see which workloads the others have taken. */
  outages: Turns;
}

/** More passes than this in one go would mean that two decisions undo each other. */
const LONGEST_CHAIN = 25;

/**
 * Brings a run on: gather, decide, apply, again and again until a decision writes nothing more. Going on at once instead
 * of waiting for the own write to come back through the watch saves some milliseconds of outage a pass.
 */
export async function reconcileRun(parts: ReconcilerParts, key: string): Promise<Outcome> {
  for (let pass = 0; pass < LONGEST_CHAIN; pass++) {
    const found = await look(parts, key);
    if (!found) {
      parts.looks.forget(key);
      parts.watches.forget(key);
      return { result: 'Done' };
    }
    const { seen, decision } = found;
    parts.watches.follow(key, seen);
    if (seen.run.status?.outcome) parts.looks.forget(key);
    else parts.looks.remember(key, surroundingsOf(seen.run));
    tellNotices(parts, seen, decision);
    if (beginsOutage(found)) {
      await beginOutage(parts, key);
      continue;
    }
    const written = await applyOrTell(parts, seen, decision);
    if (!written) return whenToLookAgain(decision.lookAgainAfter, parts.looks.foundNothing(key, found.quick));
  }
  return { result: 'RequeueAfter', milliseconds: 1000 };
}

function whenToLookAgain(...wishes: (number | undefined)[]): Outcome {
  const earliest = Math.min(...wishes.filter((wish) => wish !== undefined));
  return Number.isFinite(earliest) ? { result: 'RequeueAfter', milliseconds: earliest } : { result: 'Done' };
}

interface Look {
  seen: RunObservation;
  decision: RunDecision;
  /** With lists as an API server remembered them. */
  quick: boolean;
}

function beginsOutage({ seen, decision }: Look): boolean {
  return decision.status?.workloads !== undefined && seen.run.status?.workloads === undefined;
}

/** Looks once more when it is its turn, and does what is right then; the next pass begins from what came of it. */
function beginOutage(parts: ReconcilerParts, key: string): Promise<void> {
  return parts.outages.take(async () => {
    const current = await lookOnce(parts, key);
    if (current) await applyOrTell(parts, current.seen, current.decision);
  });
}

/** Gathers and decides; again, on what is current, if a quick look leads to what cannot be taken back. */
async function look(parts: ReconcilerParts, key: string): Promise<Look | undefined> {
  const known = parts.looks.known(key);
  const quick = known && (await lookOnce(parts, key, known));
  return quick && !isIrrevocable(quick.seen, quick.decision) ? quick : lookOnce(parts, key);
}

async function lookOnce({ client }: ReconcilerParts, key: string, known?: Surroundings): Promise<Look | undefined> {
  const { namespace = '', name } = refOfKey(key);
  const seen = await gatherRun(client, { namespace, name }, known);
  return seen && { seen, decision: decideRun(seen), quick: known !== undefined };
}

async function applyOrTell(parts: ReconcilerParts, seen: RunObservation, decision: RunDecision): Promise<boolean> {
  try {
    return await applyRun(parts.client, seen.run, decision, parts.runner);
  } catch (error) {
    // Somebody (the runner, most likely) wrote in between: decide again on what is there now.
    if (isConflict(error)) return true;
    tellRefusedWrite(parts.events, seen.migration ?? seen.run, seen.run.status?.currentStep ?? 'Prepare', error);
    throw error;
  }
}

function tellNotices({ events }: ReconcilerParts, seen: RunObservation, decision: RunDecision): void {
  for (const { type, reason, message } of decision.notices) {
    events.record({
      regarding: seen.migration ?? seen.run,
      related: seen.run,
      type,
      reason,
      action: seen.run.status?.currentStep ?? 'Prepare',
      note: message,
    });
  }
}
