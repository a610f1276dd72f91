import { expect } from 'chai';
import { andThen, TRANSFORM } from '../stack/migration-files.ts';
import { allSteps } from '../stack/steps.ts';
import { plannerSite } from '../stack/scenario.ts';
import type { Run } from '../stack/objects.ts';
import type { Scenario } from '../stack/scenario.ts';

/** A check that is never answered as expected. */
const IMPOSSIBLE = {
  name: 'impossible',
  query: 'SELECT 42',
  expect: { value: '0' },
  message: 'Nothing can mend this.',
};
/** A smoke test that never passes. */
const UNANSWERED = {
  name: 'unanswered',
  timeoutSeconds: 2,
  http: { service: 'planner-backend', port: 80, path: '/api/v1/status', expectedBody: 'no such words' },
};
const verificationJob = (script: string) => ({
  verification: { jobs: [{ name: 'own', image: 'planner-backend:2.0.0', command: ['node', '-e', script] }] },
});

async function latestRun({ site }: Scenario): Promise<Run> {
  const runs = await site.api.list<Run>({ path: site.paths.runs });
  return runs.toSorted((one, other) => one.spec.attempt - other.spec.attempt).at(-1)!;
}

const stepOf = (run: Run, wanted: string) => allSteps(run).find(({ name }) => name === wanted);

describe('A migration that fails', () => {
  const scenario = plannerSite('e2e-failures');

  describe('before users notice', () => {
    scenario('starts from another revision than the one that is there', async ({ when, then }) => {
      await when.applied({ spec: { migrations: { from: '000000000000', to: '92023c163a26' } } });
      await then.ends('Failed', 'UnexpectedRevision', /976e6adbac6f.*000000000000|000000000000.*976e6adbac6f/);
      await then.isUntouched();
    });

    scenario(
      'finds projects without dates',
      async ({ when, then }) => {
        await when.applied();
        await then.ends('Failed', 'CheckFailed', /projects-have-dates.*Set start_date and end_date of every project/);
        await then.isUntouched({ phases: { Planning: 3, Execution: 6 }, budget: 2_801_500 });
      },
      { data: ['null-dates'] },
    );

    scenario(
      'finds projects without phases',
      async ({ when, then }) => {
        await when.applied();
        await then.ends('Failed', 'CheckFailed', /projects-have-phases.*Some projects have no phase/);
        await then.isUntouched();
      },
      { data: ['no-phases'] },
    );

    scenario(
      'finds assignments without projects, and is tried again when that is mended',
      async ({ given, when, then }) => {
        await when.applied();
        await then.ends(
          'Failed',
          'CheckFailed',
          /assignments-have-projects.*Delete them or give them an existing project/,
        );
        await then.isUntouched();
        await given.sql("DELETE FROM public.resource_assignments WHERE project_id = md5('vanished project')::uuid");
        await when.retried();
        await then.ends('Succeeded', 'Succeeded', /Migrated/);
        await then.isMigrated({ assignments: 1010 });
      },
      { data: ['orphaned-assignments'] },
    );
  });

  describe('in the outage', () => {
    scenario('throws half-way', async ({ given, when, then }) => {
      const migrations = await given.migrations({
        [`${TRANSFORM}.up.sql`]: (text) =>
          `${text}\nSELECT 1 / (SELECT count(*) FROM public.project_phases WHERE name = 'None');`,
      });
      await when.applied({ spec: { migrations } });
      await then.ends(
        'Failed',
        'MigrationFailed',
        /division by zero.*Nothing was changed.*The application was down for/,
      );
      await then.isAsBefore();
      await then.event('MigrateFailed', /division by zero/);
    });

    scenario('throws half-way after a part was committed', async (scene) => {
      const { given, when, then } = scene;
      const later = 'aaaaaaaaaaaa_outside';
      const migrations = await given.migrations({
        'index.json': andThen(later),
        [`${later}.up.sql`]: () =>
          '-- no-transaction\nCREATE INDEX CONCURRENTLY ix_outside ON public.no_such_table (id);',
        [`${later}.down.sql`]: () => '-- no-transaction\nDROP INDEX CONCURRENTLY IF EXISTS public.ix_outside;',
      });
      await when.applied({ spec: { migrations: { ...migrations, to: 'aaaaaaaaaaaa' } } });
      await then.ends(
        'RolledBack',
        'RolledBack',
        /no_such_table.*Everything was undone: the database is at 976e6adbac6f/,
      );
      await then.isAsBefore();
      expect(stepOf(await latestRun(scene), 'Rollback')?.evidence?.['method']).to.equal('Template');
    });

    scenario('does not pass a check', async (scene) => {
      const { when, then } = scene;
      await when.applied({ spec: { verification: { checks: [IMPOSSIBLE] } } });
      await then.ends('RolledBack', 'RolledBack', /impossible.*42.*Nothing can mend this.*Everything was undone/);
      await then.isAsBefore();
      await then.event('VerifyFailed', /impossible/);
      expect(stepOf(await latestRun(scene), 'Rollback')?.state).to.equal('Skipped');
    });

    scenario('does not keep a figure', async ({ given, when, then }) => {
      const migrations = await given.migrations({
        [`${TRANSFORM}.up.sql`]: (text) =>
          `${text}\nUPDATE public.project_phases SET capital_budget = capital_budget + 1, total_budget = total_budget + 1;`,
      });
      await when.applied({ spec: { migrations } });
      await then.ends('RolledBack', 'RolledBack', /budget-totals.*2800000.*2800008.*Everything was undone/);
      await then.isAsBefore();
    });

    scenario('passes a verification Job of the user’s own', async (scene) => {
      const { when, then } = scene;
      await when.applied({
        spec: verificationJob("console.log('looked at', new URL(process.env.DATABASE_URL).pathname)"),
      });
      await then.ends('Succeeded', 'Succeeded', /Migrated/);
      await then.isMigrated();
      const [job] = (await latestRun(scene)).status?.verificationJobs ?? [];
      expect(job?.state).to.equal('Succeeded');
    });

    scenario('does not pass a verification Job, whose last lines are told', async (scene) => {
      const { when, then } = scene;
      const script = "console.log('project 7 is wrong'); console.log('that is bad'); process.exitCode = 3";
      await when.applied({ spec: verificationJob(script) });
      await then.ends(
        'RolledBack',
        'RolledBack',
        /exit code 3: project 7 is wrong; that is bad.*Everything was undone/,
      );
      await then.isAsBefore();
      const run = await latestRun(scene);
      expect(run.status?.verificationJobs?.[0]?.message).to.equal('exit code 3: project 7 is wrong\nthat is bad');
      expect(stepOf(run, 'Rollback')?.evidence?.['method']).to.equal('Template');
    });

    scenario('does not pass the smoke test', async (scene) => {
      const { when, then } = scene;
      await when.applied({ spec: { smokeTests: [UNANSWERED] } });
      await then.ends(
        'RolledBack',
        'RolledBack',
        /Smoke test "unanswered" did not pass within 2 s.*no such words.*Everything was undone/,
      );
      await then.isAsBefore();
      const run = await latestRun(scene);
      expect(stepOf(run, 'Rollback')?.evidence?.['method']).to.equal('Down');
      expect(run.status?.runner?.warnings?.join()).to.match(/420 assignments/);
    });

    scenario('does not pass the smoke test and cannot be undone by down: a person must decide', async (scene) => {
      const { given, when, then } = scene;
      const migrations = await given.migrations({ [`${TRANSFORM}.down.sql`]: () => 'SELECT 1 / 0;' });
      await when.applied({ spec: { migrations, smokeTests: [UNANSWERED] } });
      await then.ends(
        'NeedsHuman',
        'RollbackFailed',
        /Smoke test "unanswered".*Undoing it failed too: .*division by zero.*the backup is .*ALTER ROLE "planner_app" LOGIN; kubectl -n \S+ set image deployment\/planner-backend backend=planner-backend:1.0.0; kubectl -n \S+ scale deployment\/planner-backend --replicas=2/,
      );
      expect((await then.deployment()).spec.replicas).to.equal(0);
      await then.fenceIsUp();
      await then.restorePointIsKept();
      await when.decided('Retry');
      await then.ends('NeedsHuman', 'RollbackFailed', /division by zero.*"number":2,"action":"Accept"/);
      await then.fenceIsUp();
      await when.decided('Accept');
      await then.ends('Succeeded', 'Succeeded', /accepted as it is, at 92023c163a26, and the application/);
      await then.isMigrated();
      const decided = (await latestRun(scene)).status?.resolutions?.map(({ action, state }) => [action, state]);
      expect(decided).to.deep.equal([
        ['Retry', 'Begun'],
        ['Accept', 'Begun'],
      ]);
    });

    scenario(
      'cannot be undone by down: a person decides for the restore point, then nothing is left',
      async (scene) => {
        const { given, when, then } = scene;
        const migrations = await given.migrations({ [`${TRANSFORM}.down.sql`]: () => 'SELECT 1 / 0;' });
        await when.applied({ spec: { migrations, smokeTests: [UNANSWERED] } });
        await then.ends('NeedsHuman', 'RollbackFailed', /"action":"RollBack"/);
        await when.decided('RollBack');
        await then.ends('RolledBack', 'RolledBack', /Everything was undone/);
        await then.isAsBefore();
      },
    );

    scenario('cannot be undone by down: a person decides for the backup, then nothing is left', async (scene) => {
      const { given, when, then } = scene;
      const migrations = await given.migrations({ [`${TRANSFORM}.down.sql`]: () => 'SELECT 1 / 0;' });
      await when.applied({ spec: { migrations, smokeTests: [UNANSWERED] } });
      await then.ends('NeedsHuman', 'RollbackFailed', /"action":"RestoreBackup"/);
      await when.decided('RestoreBackup');
      await then.ends('RolledBack', 'RolledBack', /Everything was undone/);
      await then.isAsBefore();
    });

    scenario('cannot be undone by down while nobody has written: the restore point is put back', async (scene) => {
      const { given, when, then } = scene;
      const migrations = await given.migrations({ [`${TRANSFORM}.down.sql`]: () => 'SELECT 1 / 0;' });
      await when.applied({
        spec: { migrations, rollback: { strategy: 'Down' }, ...verificationJob('process.exitCode = 1') },
      });
      await then.ends('RolledBack', 'RolledBack', /Everything was undone/);
      await then.isAsBefore();
      const run = await latestRun(scene);
      expect(run.status?.runner?.warnings?.join()).to.match(
        /down failed, so the restore point is put back: .*division by zero/,
      );
      expect(stepOf(run, 'Rollback')?.evidence?.['method']).to.equal('Template');
    });

    scenario('is undone by a restore point that is a dump', async (scene) => {
      const { when, then } = scene;
      await when.applied({ spec: { rollback: { restorePoint: 'Dump' }, ...verificationJob('process.exitCode = 1') } });
      await then.ends('RolledBack', 'RolledBack', /Everything was undone/);
      await then.isAsBefore();
      expect(stepOf(await latestRun(scene), 'Rollback')?.evidence?.['method']).to.equal('Dump');
    });
  });
});
