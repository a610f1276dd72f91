import { planeRun, type Plane } from '../plane.ts';
import { checkMutations } from './mutation-check.ts';
import { mutations } from './mutations.ts';
import { sweep } from './sweep.ts';

/** The runner on a real PostgreSQL, a real API server, and faults at its calls and its watch. */
export const runnerPlane: Plane = {
  title: 'runner at the API server',
  actor: 'runner',
  rest: 'at its end',
  plantedBugs: mutations.map(({ name }) => name),
  checkMutations,
  sweep: async (options) => {
    const { runs, calls, restMilliseconds } = await sweep({
      ...options,
      onResult: (run) => options.onResult?.(planeRun(run)),
    });
    const places = Object.entries(calls).map(([history, count]) => [history, `U1…U${count}`]);
    return { runs: runs.map(planeRun), places: Object.fromEntries(places) as Record<string, string>, restMilliseconds };
  },
};
