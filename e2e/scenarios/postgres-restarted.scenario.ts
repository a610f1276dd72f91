import { forwardSteps } from '../stack/held-steps.ts';
import { postgresRestarted } from '../stack/killings.ts';
import { plannerSite } from '../stack/scenario.ts';

/** Where PostgreSQL has something of the run in its hands. */
const STEPS = ['Backup', 'RestorePoint', 'Migrate', 'Verify'];

describe('PostgreSQL is restarted', () => {
  const scenario = plannerSite('e2e-postgres-restarted');

  for (const held of forwardSteps.filter(({ step }) => STEPS.includes(step)))
    scenario(`in step ${held.step}`, async (scene) => {
      await postgresRestarted(scene, held);
      await scene.then.ends('Succeeded', 'Succeeded', /Migrated/);
      await scene.then.isMigrated();
      await scene.then.noEvent('RunnerReplaced');
    });
});
