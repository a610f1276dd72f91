import { expect } from 'chai';
import { allSteps } from '../stack/steps.ts';
import type { Job, Migration, Run } from '../stack/objects.ts';
import { startProber, type Probe } from '../stack/prober.ts';
import { plannerSite, type Scenario } from '../stack/scenario.ts';

/** Versions that answered a client in the order in which it heard of them, without repetitions; refusals by their status. */
function heardByClient(probes: Probe[]): string[] {
  const answers = probes
    .toSorted((one, other) => one.end - other.end)
    .filter(({ status }) => status !== 0)
    .map(({ status, version }) => (status === 200 ? version : `status ${status}`));
  return answers.filter((answer, place) => answer !== answers[place - 1]);
}

async function onlyRunner({ site }: Scenario): Promise<void> {
  const jobs = await site.api.list<Job>({ path: site.paths.jobs, labelSelector: 'phasemigration.io/component=runner' });
  expect(jobs.map(({ metadata }) => metadata.name)).to.deep.equal(['phases-to-user-definable-1-runner-1']);
}

describe('A migration that succeeds', () => {
  const scenario = plannerSite('e2e-success');

  scenario('carries the planner from the old version to the new one', async (scene) => {
    const { site, given, when, then } = scene;
    const prober = await startProber(site, given);
    await when.applied();
    await then.ends('Succeeded', 'Succeeded', /Migrated 976e6adbac6f → 92023c163a26. The application was down for/);
    await then.isMigrated();
    const probes = await prober.stop();
    // A client never hears of a schema that does not fit: each answer is the old version's, then none, then the new one's.
    expect(heardByClient(probes)).to.deep.equal(['1.0.0', '2.0.0']);
    expect(probes.length).to.be.greaterThan(100);
    await then.noEvent('RunnerReplaced');
    await onlyRunner(scene);
    expect(then.phases()).to.deep.equal(['Preparing', 'Migrating', 'Succeeded']);
    const [run] = await site.api.list<Run>({ path: site.paths.runs });
    const steps = [
      'Preflight',
      'Backup',
      'ScaleDown',
      'Fence',
      'RestorePoint',
      'Snapshot',
      'Migrate',
      'Verify',
      'Unfence',
      'ScaleUp',
      'SmokeTest',
    ];
    expect(allSteps(run!).map(({ name, state }) => `${name} ${state}`)).to.deep.equal(
      steps.map((name) => `${name} Succeeded`),
    );
    for (const step of steps) await then.event(`${step}Succeeded`, /./);
    await then.conforms();
  });

  scenario('is undone on request, and done again', async ({ when, then }) => {
    await when.applied();
    await then.ends('Succeeded', 'Succeeded', /Migrated/);
    await when.patched({ state: 'RolledBack' });
    await then.ends('RolledBack', 'RolledBackAsRequested', /Rolled back 92023c163a26 → 976e6adbac6f as requested/);
    await then.isAsBefore();
    await then.event('MigrationWarning', /420 assignments/);
    await when.patched({ state: 'Migrated' });
    await then.ends('Succeeded', 'Succeeded', /Migrated 976e6adbac6f → 92023c163a26/);
    await then.isMigrated();
    await then.conforms();
  });

  scenario('changes nothing when the same manifest is applied again', async ({ site, when, then }) => {
    await when.applied();
    await then.ends('Succeeded', 'Succeeded', /Migrated/);
    await then.isMigrated();
    await then.isSettled();
    const states = async () => {
      const [migrations, runs] = await Promise.all([
        site.api.list<Migration>({ path: site.paths.migrations }),
        site.api.list<Run>({ path: site.paths.runs }),
      ]);
      return [...migrations, ...runs].map(({ metadata }) => [metadata.name, metadata.resourceVersion]);
    };
    const before = await states();
    await when.applied();
    expect(await states()).to.deep.equal(before);
  });

  scenario('is at the target already: nothing is done', async ({ site, given, when, then }) => {
    await given.migratedByHand();
    const deployment = await then.deployment();
    await when.applied({ spec: { workloads: [{ kind: 'Deployment', name: 'planner-backend' }] } });
    await then.ends(
      'Succeeded',
      'AlreadyAtTarget',
      /When this run asked, the database was at 92023c163a26 already; nothing was done/,
    );
    const [run] = await site.api.list<Run>({ path: site.paths.runs });
    expect(run?.status?.steps, 'steps of the operator').to.equal(undefined);
    expect((await then.deployment()).metadata.generation).to.equal(deployment.metadata.generation);
  });

  scenario('has nothing to undo: nothing is done', async ({ site, when, then }) => {
    await when.applied({ spec: { state: 'RolledBack' } });
    await then.ends('RolledBack', 'NothingToRollBack', /there is nothing to undo/);
    await then.isUntouched();
    expect(await site.api.list({ path: site.paths.runs })).to.deep.equal([]);
  });
});
