import type { Thing } from './api.ts';
import type { Job, Pod, Run } from './objects.ts';
import type { Site } from './site.ts';
import { waitUntil } from './wait.ts';

const QUESTIONS = `
SELECT 'database ' || datname FROM pg_catalog.pg_database
WHERE NOT datistemplate AND datname NOT IN ('postgres', 'planner', 'planner_pristine')
UNION ALL
SELECT 'database planner is missing' WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_database WHERE datname = 'planner')
UNION ALL
SELECT format('fence: database %s has CONNECTION LIMIT %s, allows connections: %s', datname, datconnlimit, datallowconn)
FROM pg_catalog.pg_database WHERE datname = 'planner' AND (datconnlimit <> -1 OR NOT datallowconn)
UNION ALL
SELECT format('fence: role %s is %s, CONNECTION LIMIT %s', rolname, CASE WHEN rolcanlogin THEN 'LOGIN' ELSE 'NOLOGIN' END, rolconnlimit)
FROM pg_catalog.pg_roles WHERE rolname IN ('planner_app', 'planner_owner') AND (NOT rolcanlogin OR rolconnlimit <> -1)
UNION ALL
SELECT format('session of %s', application_name) FROM pg_catalog.pg_stat_activity WHERE application_name LIKE 'phasemigration%'
UNION ALL
SELECT format('advisory lock of process %s', pid) FROM pg_catalog.pg_locks WHERE locktype = 'advisory'
UNION ALL
SELECT 'prepared transaction ' || gid FROM pg_catalog.pg_prepared_xacts;
SELECT $$SELECT format('row of phasemigration.holder: %s', holder) FROM phasemigration.holder$$
WHERE to_regclass('phasemigration.holder') IS NOT NULL \\gexec`;

/** What a run has left on the database's server although it has ended; one sentence each. */
export async function leftoversOnServer({ psql }: Site): Promise<string[]> {
  const text = await psql.ask(QUESTIONS, 'postgres');
  return text.split('\n').filter(Boolean);
}

/**
 * What runs have left in the namespace although they have ended. By design a run keeps its ended Jobs with their pods
 * (for the logs) and its own ServiceAccount, Role and RoleBinding, all of which go with the run.
 */
export async function leftoversInNamespace({ api, paths }: Site): Promise<string[]> {
  const [runs, jobs, pods] = await Promise.all([
    api.list<Run>({ path: paths.runs }),
    api.list<Job>({ path: paths.jobs }),
    api.list<Pod>({ path: paths.pods, labelSelector: 'phasemigration.io/run' }),
  ]);
  const known = new Set(runs.map(({ metadata }) => `${metadata.name}-runner-${metadata.uid?.slice(0, 8)}`));
  const accounts = await Promise.all(
    [paths.serviceAccounts, paths.roles, paths.roleBindings].map(async (path) =>
      (await api.list<Thing>({ path })).map(({ metadata }) => ({ path, metadata })),
    ),
  );
  const isOurs = (labels: Record<string, string> = {}) => labels['app.kubernetes.io/managed-by'] === 'Helm';
  return [
    ...runs
      .filter(({ metadata }) => metadata.finalizers?.length)
      .map(({ metadata }) => `finalizer on run ${metadata.name}`),
    ...jobs.filter(({ status }) => status?.active).map(({ metadata }) => `Job ${metadata.name} is running`),
    ...pods
      .filter(({ status }) => status?.phase === 'Running' || status?.phase === 'Pending')
      .map(({ metadata, status }) => `pod ${metadata.name} is ${status?.phase}`),
    ...accounts
      .flat()
      .filter(({ metadata }) => metadata.name !== 'default' && !isOurs(metadata.labels) && !known.has(metadata.name))
      .map(({ path, metadata }) => `${path.split('/').at(-1)} ${metadata.name}`),
  ];
}

/** Waits until every run has let go of its finalizer and its Jobs have ended: that comes a moment after its outcome. */
export async function settled({ api, paths }: Site, within = 30): Promise<void> {
  const lookAt = (path: string) => ({ path, labelSelector: undefined });
  await waitUntil(
    api,
    lookAt(paths.runs),
    (runs: Run[]) => runs.every(({ metadata }) => !metadata.finalizers?.length) || undefined,
    {
      within,
      until: 'no run has a finalizer any more',
      last: (runs) => JSON.stringify(runs.map((run) => run.metadata)),
    },
  );
  await waitUntil(
    api,
    { path: paths.pods, labelSelector: 'phasemigration.io/run' },
    (pods: Pod[]) =>
      pods.every(({ status }) => status?.phase === 'Succeeded' || status?.phase === 'Failed') || undefined,
    {
      within,
      until: 'every pod of a run has ended',
      last: (pods) => JSON.stringify((pods as Pod[]).map(({ metadata, status }) => [metadata.name, status?.phase])),
    },
  );
  await waitUntil(api, lookAt(paths.jobs), (jobs: Job[]) => jobs.every(({ status }) => !status?.active) || undefined, {
    within,
    until: 'no Job is running any more',
    last: (jobs) => JSON.stringify(jobs.map((job) => job.metadata.name)),
  });
}
