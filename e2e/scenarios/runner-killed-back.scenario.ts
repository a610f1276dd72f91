import { backwardSteps } from '../stack/held-steps.ts';
import { runnerKilled } from '../stack/killings.ts';
import { plannerSite } from '../stack/scenario.ts';

describe('The runner is killed on the way back', () => {
  const scenario = plannerSite('e2e-runner-killed-back');

  for (const held of backwardSteps)
    scenario(`in step ${held.step}`, async (scene) => {
      await runnerKilled(scene, held);
      await scene.then.ends('RolledBack', 'RolledBack', /Smoke test "unanswered".*Everything was undone/);
      await scene.then.isAsBefore();
      await scene.then.event('RunnerReplaced', /start 1\) ended before its work was done.*start 2 goes on/);
    });
});
