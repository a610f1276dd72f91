import { planeRun, type Plane } from '../plane.ts';
import { checkMutations } from './mutation-check.ts';
import { mutations } from './mutations.ts';
import { sweep, type FaultedRun } from './sweep.ts';

/** The runner, a real PostgreSQL, and faults at its statements and reports. */
export const databasePlane: Plane = {
  title: 'database plane',
  actor: 'runner',
  rest: 'at the end',
  plantedBugs: mutations.map(({ name }) => name),
  checkMutations,
  sweep: async (options) => {
    const { runs, places, restMilliseconds } = await sweep({
      ...options,
      onResult: (run) => options.onResult?.(planeRun(run)),
    });
    return { runs: runs.map(planeRun), places, restMilliseconds, notes: [endsOf(runs)] };
  },
};

/** `ended Reference 480; Undone 31`. */
function endsOf(runs: FaultedRun[]): string {
  const met = runs.filter(({ attempt }) => attempt.fired);
  const counted = [...Map.groupBy(met, ({ attempt }) => attempt.end ?? 'in no way that may be')];
  return `ended ${counted.map(([end, { length }]) => `${end} ${length}`).join('; ')}`;
}
