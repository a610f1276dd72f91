import { plannerSite } from '../stack/scenario.ts';

describe('A migration that succeeds', () => {
  const scenario = plannerSite({ namespace: 'e2e-success', postgres: 17 });

  scenario('carries the planner from the old version to the new one', async ({ when, then }) => {
    await when.applied();
    await then.ends('Succeeded', 'Succeeded', /Migrated 976e6adbac6f → 92023c163a26/);
    await then.isMigrated();
    await then.noEvent('RunnerReplaced');
    then.conforms();
  });
});
