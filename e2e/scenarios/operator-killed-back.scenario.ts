import { backwardSteps } from '../stack/held-steps.ts';
import { operatorKilled } from '../stack/killings.ts';
import { plannerSite } from '../stack/scenario.ts';

describe('The operator is killed on the way back', () => {
  const scenario = plannerSite('e2e-operator-killed-back');

  for (const held of backwardSteps)
    scenario(`in step ${held.step}`, async (scene) => {
      await operatorKilled(scene, held);
      await scene.then.ends('RolledBack', 'RolledBack', /Smoke test "unanswered".*Everything was undone/);
      await scene.then.isAsBefore();
    });
});
