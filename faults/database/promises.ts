import { stat } from 'node:fs/promises';
import type { RunnerStatus } from '../../operator/api/phase-migration-run.ts';
import type { Scene } from './scene.ts';

const LEDGER_ROW = 'INSERT-INTO-phasemigration.ledger-revision';

/** Looks at a report before it is taken over: it must not say more than what is. */
export async function inspectReport(scene: Scene, before: RunnerStatus, status: RunnerStatus): Promise<void> {
  inspectMigration(scene, status);
  const fence = status.fence?.state;
  const isNew = (condition: (of: RunnerStatus) => boolean) => condition(status) && !condition(before);
  if (fence !== before.fence?.state && fence === 'Raised') await expectFence(scene, true, 'the fence is up');
  if (isNew(({ verificationReleased }) => verificationReleased === true))
    await expectFence(scene, true, 'verification Jobs may begin');
  for (const goal of ['Migrated', 'RolledBack'] as const)
    if (isNew(({ reachedGoal }) => reachedGoal === goal)) await expectFence(scene, false, `goal ${goal} is reached`);
  if (isNew(({ restorePoint }) => restorePoint?.state === 'Taken')) await expectRestorePoint(scene, status);
}

/** Nothing is applied before the server was told to commit it. */
function inspectMigration(scene: Scene, status: RunnerStatus): void {
  const { history, wire } = scene;
  const rows = wire.count(LEDGER_ROW);
  const isCommitted = history.isAlone ? rows >= 2 : wire.count('COMMIT') >= 1;
  const mayBeChanged = history.isAlone ? rows >= 1 : isCommitted;
  const { migrations = [], steps = [], databaseChanged } = status;
  const saysApplied =
    migrations.some(({ state }) => state === 'Applied') ||
    steps.some(({ name, state }) => name === 'Migrate' && state === 'Succeeded');
  if (saysApplied && !isCommitted) scene.breach('a report said that the migration is applied before it was committed');
  if (databaseChanged === 'Yes' && !mayBeChanged)
    scene.breach('a report said that the database is changed before anything was committed');
}

async function expectFence(scene: Scene, isUp: boolean, what: string): Promise<void> {
  const canConnect = await asked(() => scene.scenario.clientCanConnect());
  if (canConnect === isUp) scene.breach(`a report said that ${what}, and clients can${isUp ? '' : 'not'} log in`);
}

async function expectRestorePoint(scene: Scene, { restorePoint }: RunnerStatus): Promise<void> {
  const { database, archive } = restorePoint ?? {};
  const isThere =
    archive !== undefined
      ? await stat(archive).then(
          () => true,
          () => false,
        )
      : await asked(
          async () => (await scene.server.psql(`SELECT 1 FROM pg_database WHERE datname = '${database}'`)) === '1',
        );
  if (isThere === false) scene.breach('a report said that the restore point is taken, and it is not there');
}

/** Undefined while the server does not answer. */
async function asked<T>(question: () => Promise<T>): Promise<T | undefined> {
  try {
    return await question();
  } catch {
    return undefined;
  }
}
