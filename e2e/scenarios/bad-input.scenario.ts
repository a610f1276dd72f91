import { expect } from 'chai';
import { plannerManifest } from '../stack/manifest.ts';
import { andThen, TRANSFORM } from '../stack/migration-files.ts';
import { plannerSite } from '../stack/scenario.ts';

const NOWHERE = '10.255.255.1';

describe('A manifest', () => {
  const scenario = plannerSite('e2e-bad-input');

  describe('that the API server refuses', () => {
    scenario('has a field that does not exist', async ({ when, then }) => {
      const refusal = await when.refused(await plannerManifest({ spec: { workload: [] } }));
      expect(refusal).to.match(/strict decoding error: unknown field "spec.workload"/);
      await then.isUntouched();
    });

    const refused: [string, Record<string, unknown>, RegExp][] = [
      ['has an empty list of workloads', { workloads: [] }, /spec.workloads.*should have at least 1 items/],
      [
        'has a revision that cannot be one',
        { migrations: { to: 'not a revision!' } },
        /spec.migrations.to.*should match/,
      ],
      [
        'has from = to',
        { migrations: { to: '976e6adbac6f' } },
        /migrations.from and migrations.to must differ: there is nothing to migrate/,
      ],
      [
        'has two sources of migrations',
        { migrations: { configMapRef: { name: 'a' } } },
        /exactly one of image and configMapRef/,
      ],
      [
        'starts the new version behind a fence that would keep the runner out too',
        { database: { clientRoles: [] } },
        /startPolicy BehindFence needs database.clientRoles/,
      ],
      [
        'has a verification Job behind a fence that keeps it out',
        { database: { clientRoles: [] }, verification: { jobs: [{ name: 'a', image: 'b' }] } },
        /verification.jobs need database.clientRoles/,
      ],
    ];
    for (const [title, spec, sentence] of refused)
      scenario(title, async ({ site, when, then }) => {
        expect(await when.refused(await plannerManifest({ spec }))).to.match(sentence);
        expect(await site.api.list({ path: site.paths.migrations })).to.deep.equal([]);
        await then.isUntouched();
      });
  });

  describe('that cannot be carried out', () => {
    scenario('names a revision that does not exist', async ({ when, then }) => {
      await when.applied({ spec: { migrations: { to: 'ffffffffffff' } } });
      await then.ends('Failed', 'UnknownRevision', /"ffffffffffff".*Nothing was changed/);
      await then.isUntouched();
    });

    scenario('names a Secret that does not exist, until somebody makes it', async ({ given, when, then }) => {
      await when.applied({ spec: { database: { urlSecretRef: { name: 'planner-late' } } } });
      const waiting = /CreateContainerConfigError: secret "planner-late" not found/;
      await when.reason('RunnerNotStarted', waiting);
      await then.event('RunnerNotStarted', waiting);
      await then.isUntouched();
      await given.secret('planner-late', given.url().href);
      await then.ends('Succeeded', 'Succeeded', /Migrated/);
      await then.isMigrated();
    });

    scenario('names a Secret that never comes', async ({ when, then }) => {
      await when.applied({
        spec: { database: { urlSecretRef: { name: 'planner-never' } }, preparationDeadlineSeconds: 20 },
      });
      await then.ends(
        'Failed',
        'PreparationDeadlineExceeded',
        /not ready for its outage after 20 s.*secret "planner-never" not found/,
      );
      await then.isUntouched();
    });

    const urls: [string, (url: URL) => string, string, RegExp][] = [
      [
        'has a malformed URL',
        () => 'planner:secret@somewhere',
        'InvalidDatabaseURL',
        /DATABASE_URL is not a postgres:\/\/ URL/,
      ],
      [
        'has a wrong password',
        (url) => changed(url, { password: 'wrong-password' }),
        'AuthenticationFailed',
        /refused the password of role "planner_owner".*correct the Secret's URL/,
      ],
      [
        'names a database that does not exist',
        (url) => changed(url, { pathname: '/plannr' }),
        'DatabaseNotFound',
        /database "plannr" on planner-postgres:5432 does not exist; correct the Secret's URL or create it/,
      ],
    ];
    for (const [title, change, reason, sentence] of urls)
      scenario(title, async ({ site, given, when, then }) => {
        const database = await given.secret('planner-other', change(given.url()));
        await when.applied({ spec: { database } });
        const migration = await then.ends('Failed', reason as 'InvalidDatabaseURL', sentence);
        await then.isUntouched();
        const runs = await site.api.list({ path: site.paths.runs });
        expect(JSON.stringify([migration, runs])).not.to.match(/wrong-password|planner:secret/);
      });

    scenario('names a host that does not answer', async ({ given, when, then }) => {
      const database = await given.secret('planner-other', changed(given.url(), { hostname: NOWHERE }));
      await when.applied({ spec: { database, preparationDeadlineSeconds: 20 } });
      await then.ends(
        'Failed',
        'PreparationDeadlineExceeded',
        new RegExp(`it waits for: .*${NOWHERE.replaceAll('.', '\\.')}`),
      );
      await then.isUntouched();
    });

    scenario('names an image that cannot be pulled', async ({ when, then }) => {
      await when.applied({
        spec: { migrations: { image: 'localhost:1/no-such-image:1' }, preparationDeadlineSeconds: 15 },
      });
      const pull = /(ErrImagePull|ImagePullBackOff): .*localhost:1\/no-such-image:1/;
      await then.ends('Failed', 'PreparationDeadlineExceeded', pull);
      await then.event('RunnerNotStarted', pull);
      await then.isUntouched();
    });

    scenario('names an application image that cannot be pulled', async ({ when, then }) => {
      const workloads = [
        { kind: 'Deployment', name: 'planner-backend', images: { backend: 'localhost:1/no-such-image:1' } },
      ];
      await when.applied({ spec: { workloads } });
      await then.ends(
        'RolledBack',
        'RolledBack',
        /ImagePullBackOff: .*localhost:1\/no-such-image:1.*Everything was undone/,
      );
      await then.isAsBefore();
    });

    scenario('has a migration with a syntax error', async ({ given, when, then }) => {
      const migrations = await given.migrations({
        [`${TRANSFORM}.up.sql`]: () => 'ALTER TABLE public.projects\nADD COLUM x int;\n',
      });
      await when.applied({ spec: { migrations } });
      await then.ends(
        'Failed',
        'InvalidMigration',
        /92023c163a26_transform_phases_to_user_definable.up.sql: line 2: syntax error at or near "int"/,
      );
      await then.isUntouched();
    });

    scenario('has a migration without down where the rollback needs it', async ({ given, when, then }) => {
      const migrations = await given.migrations({ [`${TRANSFORM}.down.sql`]: () => undefined });
      await when.applied({ spec: { migrations, rollback: { strategy: 'Down' } } });
      await then.ends('Failed', 'DownMissing', /92023c163a26.*down/);
      await then.isUntouched();
    });

    scenario('has a migration that is not in index.json', async ({ given, when, then }) => {
      const migrations = await given.migrations({ 'bbbbbbbbbbbb_forgotten.up.sql': () => 'SELECT 1;' });
      await when.applied({ spec: { migrations } });
      await then.ends('Failed', 'InvalidMigration', /index.json does not list "bbbbbbbbbbbb_forgotten"/);
      await then.isUntouched();
    });

    scenario('has a file of an applied migration that was changed since', async ({ given, when, then }) => {
      const migrations = await given.migrations({
        '976e6adbac6f_add_scope_performance_indexes.up.sql': (text) => `${text}\n-- changed`,
        'index.json': andThen('cccccccccccc_more'),
        'cccccccccccc_more.up.sql': () => 'SELECT 1;',
      });
      await when.applied({ spec: { migrations } });
      await then.ends('Failed', 'MigrationChanged', /976e6adbac6f_add_scope_performance_indexes/);
      await then.isUntouched();
    });

    scenario('names a workload that does not exist', async ({ when, then }) => {
      await when.applied({ spec: { workloads: [{ kind: 'Deployment', name: 'planner-frontend' }] } });
      await then.ends(
        'Failed',
        'WorkloadNotFound',
        /Deployment planner-frontend does not exist in namespace e2e-bad-input. Correct spec.workloads/,
      );
      await then.isUntouched();
    });

    scenario('has the images that the workload has already', async ({ when, then }) => {
      const workloads = [{ kind: 'Deployment', name: 'planner-backend', images: { backend: 'planner-backend:1.0.0' } }];
      await when.applied({ spec: { workloads } });
      await then.ends(
        'Failed',
        'ImagesAlreadySet',
        /backend=planner-backend:1\.0\.0\): if the migration had to be undone/,
      );
      await then.isUntouched();
    });

    scenario('has no Service for a smoke test', async ({ when, then }) => {
      const smokeTests = [{ name: 'typo', http: { service: 'planner-backnd', port: 80, path: '/' } }];
      await when.applied({ spec: { smokeTests } });
      await then.ends('Failed', 'ServiceNotFound', /"typo" cannot be asked: Service planner-backnd does not exist/);
      await then.isUntouched();
    });

    scenario('names a container that the workload does not have', async ({ when, then }) => {
      const workloads = [{ kind: 'Deployment', name: 'planner-backend', images: { backnd: 'planner-backend:2.0.0' } }];
      await when.applied({ spec: { workloads } });
      await then.ends('Failed', 'ContainerNotFound', /has no container "backnd"; it has backend/);
      await then.isUntouched();
    });
  });
});

function changed(url: URL, parts: Partial<Pick<URL, 'password' | 'pathname' | 'hostname'>>): string {
  return Object.assign(new URL(url), parts).href;
}
