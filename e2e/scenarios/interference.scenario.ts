import { expect } from 'chai';
import { FROZEN_MESSAGE } from '../../operator/api/phase-migration.ts';
import { heldSmokeTest } from '../stack/held-steps.ts';
import { plannerManifest } from '../stack/manifest.ts';
import { TRANSFORM } from '../stack/migration-files.ts';
import type { Migration, Run, Workload } from '../stack/objects.ts';
import { plannerSite, type Scenario } from '../stack/scenario.ts';
import { waitUntil } from '../stack/wait.ts';

/** Holds a step open for so many seconds, so that something can happen in it. */
const slow = (seconds: number) => ({ name: 'slow', query: `SELECT 0 FROM pg_sleep(${seconds})` });
const slowMigration = { [`${TRANSFORM}.up.sql`]: (text: string) => `SELECT pg_sleep(2);\n${text}` };

describe('While a migration goes on', () => {
  const scenario = plannerSite('e2e-interference');

  scenario('the plan cannot be changed, and says so', async ({ given, when, then }) => {
    const migrations = await given.migrations(slowMigration);
    await when.applied({ spec: { migrations } });
    await when.step('Migrate');
    const refusal = await when.refused(await plannerManifest({ spec: { migrations, outageDeadlineSeconds: 30 } }));
    expect(refusal).to.include(FROZEN_MESSAGE);
    await then.ends('Succeeded', 'Succeeded', /Migrated/);
    await then.isMigrated();
  });

  scenario('it is deleted before users notice: nothing happens to them', async ({ when, then }) => {
    await when.applied({ spec: { preflight: { checks: [slow(3)] } } });
    await when.step('Preflight');
    await when.deleted();
    await then.isGone();
    await then.isUntouched();
  });

  for (const propagation of ['Background', 'Foreground'] as const)
    scenario(`it is deleted in the outage (${propagation}): it is undone`, async ({ given, when, then }) => {
      const migrations = await given.migrations(slowMigration);
      await when.applied({ spec: { migrations } });
      await when.step('Migrate');
      await when.deleted(propagation);
      await then.isGone();
      await then.isAsBefore();
    });

  scenario('it is deleted when everything is verified: it is finished', async ({ when, then }) => {
    await when.applied({ startPolicy: 'AfterUnfence' });
    await when.step('ScaleUp');
    await when.deleted();
    await then.isGone();
    await then.isMigrated();
  });

  scenario('it is suspended from the beginning: nothing is begun until it is resumed', async ({ when, then }) => {
    await when.applied({ spec: { suspend: true } });
    await when.reason('Suspended', /spec.suspend is true: nothing is begun/);
    await then.isUntouched();
    await when.patched({ suspend: false });
    await then.ends('Succeeded', 'Succeeded', /Migrated/);
    await then.isMigrated();
  });

  scenario(
    'it is suspended while it is prepared: the outage is not begun until it is resumed',
    async ({ when, then }) => {
      await when.applied({ spec: { preflight: { checks: [slow(2)] } } });
      await when.step('Preflight');
      await when.patched({ suspend: true });
      await when.reason('Suspended', /Everything is prepared; spec.suspend is true, so the outage is not begun/);
      await then.isUntouched();
      await when.patched({ suspend: false });
      await then.ends('Succeeded', 'Succeeded', /Migrated/);
      await then.isMigrated();
    },
  );

  scenario('somebody scales the application up: it is scaled back, and told', async ({ given, when, then }) => {
    const migrations = await given.migrations(slowMigration);
    await when.applied({ spec: { migrations }, startPolicy: 'AfterUnfence' });
    await when.step('Migrate');
    await when.scaled('planner-backend', 5);
    await then.ends('Succeeded', 'Succeeded', /Migrated/);
    await then.event(
      'ScaledUpDuringOutage',
      /Deployment planner-backend was scaled to 5 by somebody else during the outage/,
    );
    await then.isMigrated();
  });

  scenario('another one for the same database waits for it', async (scene) => {
    const { site, when, then } = scene;
    const held = await heldSmokeTest(scene);
    await when.applied({ spec: held.spec });
    await when.step('SmokeTest');
    await when.applied({ name: 'second' });
    await when.reason(
      'WaitingForLock',
      /Database "planner" is being worked on by run e2e-interference\/phases-to-user-definable-1 .*at step/,
    );
    await held.release?.();
    await then.ends('Succeeded', 'Succeeded', /Migrated/, { name: 'phases-to-user-definable' });
    await then.ends('Succeeded', 'AlreadyAtTarget', /already; nothing was done/, { name: 'second' });
    await then.isMigrated();
    expect(await site.api.list<Migration>({ path: site.paths.migrations })).to.have.length(2);
  });

  scenario('one for another database waits for the workload that both need', async (scene) => {
    const { given, when, then } = scene;
    const database = await anotherDatabase(scene);
    const held = await heldSmokeTest(scene);
    await when.applied({ spec: held.spec });
    await when.step('SmokeTest');
    const workloads = [{ kind: 'Deployment', name: 'planner-backend' }];
    await when.applied({ name: 'second', spec: { database, workloads } });
    await when.reason(
      'WorkloadInUse',
      /Deployment planner-backend is in use by PhaseMigrationRun phases-to-user-definable-1: the outage begins when/,
    );
    await held.release?.();
    await then.ends('Succeeded', 'Succeeded', /Migrated/, { name: 'phases-to-user-definable' });
    await then.ends('Succeeded', 'Succeeded', /Migrated/, { name: 'second' });
    await then.isMigrated();
    expect((await then.deployment()).spec.replicas).to.equal(scene.site.replicas);
    await given.sql('DROP DATABASE second', 'postgres');
  });

  scenario('the database goes away in the outage for longer than a restart', async ({ given, when, then }) => {
    await when.applied({ spec: { migrations: await given.migrations(slowMigration) } });
    await when.step('Migrate');
    await when.scaled('planner-postgres', 0, 'statefulSets');
    await when.podIsGone('planner-postgres-0');
    await when.reason('Migrating', /cannot reach database "postgres" on planner-postgres:5432/);
    await when.scaled('planner-postgres', 1, 'statefulSets');
    await then.ends('Succeeded', 'Succeeded', /Migrated/);
    await then.isMigrated();
  });

  scenario(
    'the database stays away until the outage may last no longer: it is undone',
    async ({ given, when, then }) => {
      await when.applied({ spec: { migrations: await given.migrations(slowMigration), outageDeadlineSeconds: 15 } });
      await when.step('Migrate');
      await when.scaled('planner-postgres', 0, 'statefulSets');
      await when.podIsGone('planner-postgres-0');
      await when.reason(
        'RollingBack',
        /lasted longer than spec.outageDeadlineSeconds \(15 s\).* cannot reach database/,
      );
      await when.scaled('planner-postgres', 1, 'statefulSets');
      await then.ends('Failed', 'OutageDeadlineExceeded', /lasted longer/);
      await then.isAsBefore();
    },
  );

  scenario('it is deleted and made again: its backup is one of its own', async ({ site, when, then }) => {
    const backup = async () =>
      (await site.api.list<Run>({ path: site.paths.runs }))[0]?.status?.runner?.backup?.archive;
    const checks = [{ name: 'impossible', query: 'SELECT 42' }];
    await when.applied({ spec: { verification: { checks } } });
    await then.ends('RolledBack', 'RolledBack', /impossible/);
    const first = await backup();
    await when.deleted();
    await then.isGone();
    await when.applied({ spec: { verification: { checks } } });
    await then.ends('RolledBack', 'RolledBack', /impossible/);
    expect(await backup())
      .to.be.a('string')
      .and.not.equal(first);
    await then.event('BackupSucceeded', /^(?!Kept from an earlier start)/);
    await then.isAsBefore();
  });

  scenario('the database is away for a while before users notice', async ({ when, then }) => {
    await when.scaled('planner-postgres', 0, 'statefulSets');
    await when.podIsGone('planner-postgres-0');
    await when.applied();
    await when.reason('DatabaseUnreachable', /cannot reach database "postgres" on planner-postgres:5432/);
    await then.event('DatabaseUnreachable', /cannot reach/);
    await when.scaled('planner-postgres', 1, 'statefulSets');
    await then.ends('Succeeded', 'Succeeded', /Migrated/);
    await then.isMigrated();
  });

  scenario('a StatefulSet uses the database too', async ({ site, given, when, then }) => {
    await given.object(worker());
    const path = `${site.paths.statefulSets}/worker`;
    await given.rolledOut('statefulset/worker');
    await when.applied({
      spec: {
        workloads: [
          { kind: 'Deployment', name: 'planner-backend', images: { backend: 'planner-backend:2.0.0' } },
          { kind: 'StatefulSet', name: 'worker', images: { worker: 'planner-backend:2.0.0' } },
        ],
      },
    });
    await waitUntil(
      site.api,
      { path: site.paths.statefulSets, fieldSelector: 'metadata.name=worker' },
      ([found]: Workload[]) => found?.spec.replicas === 0 || undefined,
      { within: 60, until: 'the StatefulSet is scaled down' },
    );
    await then.ends('Succeeded', 'Succeeded', /Migrated/);
    await then.isMigrated();
    const { spec, status } = (await site.api.get<Workload>(path))!;
    expect(spec.template.spec.containers[0]?.image).to.equal('planner-backend:2.0.0');
    expect([spec.replicas, status?.readyReplicas]).to.deep.equal([2, 2]);
  });
});

/** A copy of the planner's database that nobody uses. @returns what spec.database says of it */
async function anotherDatabase({ given }: Scenario): Promise<object> {
  await given.sql('CREATE DATABASE second TEMPLATE planner_pristine OWNER planner_owner', 'postgres');
  const url = given.url();
  url.pathname = '/second';
  return { ...(await given.secret('second-db', url.href)), clientRoles: [] };
}

/** A worker that does nothing, as a StatefulSet of two. */
function worker(): object {
  const labels = { app: 'worker' };
  const container = {
    name: 'worker',
    image: 'planner-backend:1.0.0',
    command: ['node', '-e', "process.on('SIGTERM', () => process.exit(0)); setInterval(() => {}, 1e9)"],
    securityContext: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } },
  };
  const securityContext = { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } };
  const template = { metadata: { labels }, spec: { securityContext, containers: [container] } };
  const spec = {
    replicas: 2,
    serviceName: 'worker',
    selector: { matchLabels: labels },
    podManagementPolicy: 'Parallel',
    template,
  };
  return { apiVersion: 'apps/v1', kind: 'StatefulSet', metadata: { name: 'worker' }, spec };
}
