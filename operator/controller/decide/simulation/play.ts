import type { ResolutionAction } from '../../../api/resolution.ts';
import { decideRun } from '../run.ts';
import { isIrrevocable } from '../irrevocable.ts';
import type { RunObservation } from '../observation.ts';
import { runnerStep, type Failing } from './runner.ts';
import type { World } from './world.ts';

/** Something that happens in a history. */
export type Move =
  | { kind: 'Operator'; dieAfter: number; quick: boolean }
  | {
      kind:
        | 'Runner'
        | 'Cluster'
        | 'Client'
        | 'KillRunner'
        | 'DeleteRunnerJob'
        | 'LoseRunner'
        | 'ScaleUpByHand'
        | 'DeleteMigration'
        | 'ToggleSuspend';
    }
  | { kind: 'Wait'; milliseconds: number };

/** `quick`: pods and Jobs as they were at the operator's last look, as a list that the API server remembers may be. */
export function operatorPass(world: World, dieAfter = 99, quick = false): number {
  const current = world.observe();
  if (!current) return 0;
  const seen = quick ? remembered(current, world.lastSeen) : current;
  world.lastSeen = current;
  const decision = decideRun(seen);
  if (!isIrrevocable(seen, decision)) return world.apply(seen, decision, dieAfter);
  return world.apply(current, decideRun(current), dieAfter);
}

/** The same observation with the pods and Jobs of an earlier one. */
function remembered(current: RunObservation, earlier: RunObservation | undefined): RunObservation {
  if (!earlier) return current;
  const workloads = current.workloads.map((workload, index) => {
    const pods = earlier.workloads[index]?.pods ?? workload.pods;
    return { ...workload, pods };
  });
  const { runnerJobs, verificationJobs } = earlier;
  return structuredClone({ ...current, workloads, runnerJobs, verificationJobs });
}

/** A person mends what failed and decides; nobody does before a person is asked. */
export function resolve(world: World, action: ResolutionAction): void {
  const { run, migration } = world;
  if (run?.status?.outcome !== 'NeedsHuman') return;
  Object.assign(world, { mended: true, newVersionStarts: true });
  const archive = action === 'RestoreBackup' ? { archive: run.status.runner?.backup?.archive ?? '/backup' } : {};
  const number = (run.status.resolutions?.length ?? 0) + 1;
  migration.spec.resolution = {
    runName: run.metadata.name,
    runUID: run.metadata.uid ?? '',
    number,
    action,
    ...archive,
  };
}

/** Lets one thing happen. */
export function play(world: World, next: Move, failing: Failing): void {
  switch (next.kind) {
    case 'Operator':
      operatorPass(world, next.dieAfter, next.quick);
      return;
    case 'Runner':
      return runnerStep(world, failing);
    case 'Cluster':
      return world.clusterStep();
    case 'Client':
      return world.clientStep();
    case 'Wait':
      world.now += next.milliseconds;
      return;
    case 'KillRunner':
      return world.killRunner();
    case 'LoseRunner':
      return world.loseRunner();
    case 'DeleteRunnerJob':
      world.jobs = [];
      return;
    case 'ScaleUpByHand':
      // Only in the outage: at any other time whoever scales is right.
      if (world.run?.spec.goal === 'Migrated' && !world.run.status?.runner?.reachedGoal?.startsWith('M')) {
        world.deployment.replicas = 1;
        world.scaledByHand = true;
      }
      return;
    case 'DeleteMigration':
      world.migration.metadata.deletionTimestamp = new Date(world.now).toISOString();
      return;
    case 'ToggleSuspend':
      world.migration.spec.suspend = !world.migration.spec.suspend;
      return;
  }
}

/**
 * Everybody gets their turn until nothing changes any more. `deaths`: after how many writes the operator dies, pass by
 * pass; random moves alone seldom get a run as far as its last writes.
 */
export function settleDown(world: World, failing: Failing, deaths: number[] = []): void {
  world.migration.spec.suspend = false;
  for (let round = 0; round < 400; round++) {
    const before = world.writes;
    operatorPass(world, deaths[round]);
    runnerStep(world, failing);
    world.clusterStep();
    world.now += 200;
    const quiet = world.writes === before && world.run?.status?.outcome !== undefined;
    if (quiet && round > 100) return;
  }
}
