import { planeRun, type Plane } from '../plane.ts';
import { checkMutations } from './mutation-check.ts';
import { mutations } from './mutations.ts';
import { sweep } from './sweep.ts';

/** The operator, a real API server, and faults at its calls and watches. */
export const controlPlane: Plane = {
  title: 'control plane',
  actor: 'operator',
  rest: 'last write',
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
