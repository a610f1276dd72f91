import { backwardSteps, forwardSteps } from '../stack/held-steps.ts';
import { postgresRestarted } from '../stack/killings.ts';
import { plannerSite } from '../stack/scenario.ts';

/** Where PostgreSQL has something of the run in its hands. */
const STEPS = ['Backup', 'RestorePoint', 'Migrate', 'Verify'];
const STEPS_BACK = ['Rollback', 'VerifyRollback', 'RollbackUnfence'];

describe('PostgreSQL is restarted', () => {
  const scenario = plannerSite('e2e-postgres-restarted');

  for (const held of forwardSteps.filter(({ step }) => STEPS.includes(step)))
    scenario(`in step ${held.step}`, async (scene) => {
      await postgresRestarted(scene, held);
      await scene.then.ends('Succeeded', 'Succeeded', /Migrated/);
      await scene.then.isMigrated();
      await scene.then.noEvent('RunnerReplaced');
    });

  for (const held of backwardSteps.filter(({ step }) => STEPS_BACK.includes(step)))
    scenario(`on the way back in step ${held.step}`, async (scene) => {
      await postgresRestarted(scene, held);
      await scene.then.ends('RolledBack', 'RolledBack', /Smoke test "unanswered".*Everything was undone/);
      await scene.then.isAsBefore();
      await scene.then.noEvent('RunnerReplaced');
    });
});
