import { forwardSteps } from '../stack/held-steps.ts';
import { operatorKilled } from '../stack/killings.ts';
import { plannerSite } from '../stack/scenario.ts';

describe('The operator is killed on the way to success', () => {
  const scenario = plannerSite('e2e-operator-killed');

  for (const held of forwardSteps)
    scenario(`in step ${held.step}`, async (scene) => {
      await operatorKilled(scene, held);
      await scene.then.ends('Succeeded', 'Succeeded', /Migrated/);
      await scene.then.isMigrated();
      await scene.then.noEvent('RunnerReplaced');
    });
});
