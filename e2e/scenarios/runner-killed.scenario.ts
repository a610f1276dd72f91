import { forwardSteps } from '../stack/held-steps.ts';
import { runnerKilled } from '../stack/killings.ts';
import { plannerSite } from '../stack/scenario.ts';

describe('The runner is killed on the way to success', () => {
  const scenario = plannerSite('e2e-runner-killed');

  for (const held of forwardSteps)
    scenario(`in step ${held.step}`, async (scene) => {
      await runnerKilled(scene, held);
      await scene.then.ends('Succeeded', 'Succeeded', /Migrated/);
      await scene.then.isMigrated();
      await scene.then.event('RunnerReplaced', /start 1\) ended before its work was done.*start 2 goes on/);
    });
});
