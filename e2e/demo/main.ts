import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { cacheFolder, cloneRoot } from '../cluster/paths.ts';
import { openCluster, type Cluster } from '../cluster/provider.ts';
import { main, withProgress } from '../cluster/terminal.ts';
import { newFigures, oldFigures, readFigures, type Figures } from '../stack/figures.ts';
import { buildImages, demoImages, loadImages } from '../stack/images.ts';
import { installOperator, standardPlace } from '../stack/operator.ts';
import { installPlanner } from '../stack/planner.ts';
import { sql } from '../stack/psql.ts';
import { parseOptions } from './options.ts';
import { follow, type Seen } from './follow.ts';
import { figuresText, restart } from './planner.ts';
import { chapter, expectThat, show, typed, withoutSpec } from './tell.ts';

const namespace = 'planner';
const name = 'phases-to-user-definable';
const examples = join('examples', 'planner');
const kubectl = (...args: string[]) => ['kubectl', '-n', namespace, ...args];

await main(async () => {
  const options = parseOptions(process.argv.slice(2));
  // The commands that are shown name files as somebody in the clone's folder would.
  process.chdir(cloneRoot);
  const began = Date.now();
  const cluster = await withProgress('Kubernetes', (progress) => openCluster({ ...options, progress }));
  await setUp(cluster);
  await migrate(cluster);
  await failAndUndo(cluster);
  await rollBackOnRequest(cluster);
  await migrateAgain(cluster);
  await tellTheEnd(cluster, began);
});

async function setUp(cluster: Cluster): Promise<void> {
  const images = await withProgress('Images', (progress) => buildImages(progress, demoImages));
  await withProgress('Images into the cluster', (progress) => loadImages(cluster, images, progress));
  await withProgress('Operator, two replicas, by Helm', (progress) => installOperator(cluster, { progress }));
  await withProgress('Planner 1.0.0 with PostgreSQL 17 and its data', async (progress) => {
    await restart(cluster, namespace, progress);
    await installPlanner(cluster, { namespace, progress });
    progress('waiting for 3 replicas of the backend');
    await cluster.exec(kubectl('rollout', 'status', 'deployment/planner-backend', '--timeout=180s'));
  });
}

function figuresOf(cluster: Cluster): Promise<Figures> {
  return readFigures((text) => sql(cluster, namespace, text));
}

async function migrate(cluster: Cluster): Promise<void> {
  chapter('Before', 'The planner’s old version with its data, at revision 976e6adbac6f:');
  const before = await figuresOf(cluster);
  console.log(figuresText(before));
  expectThat(isDeepStrictEqual(before, oldFigures), 'these are the figures of its seed data (migrations/README.md)');
  chapter('Migrate', 'One manifest. Everything else is the operator’s work.');
  await show(cluster, kubectl('apply', '--server-side', '-f', join(examples, 'phasemigration.yaml')));
  const seen = await ended(cluster, name, 'Migrating 976e6adbac6f → 92023c163a26');
  expectThat(seen.phase === 'Succeeded', 'the migration has succeeded', seen.message);
  const after = await figuresOf(cluster);
  console.log(`\n${figuresText(after)}\n`);
  expectThat(after.matched === newFigures.matched, '591 of 1,011 assignments lie within a phase');
  expectThat(isDeepStrictEqual(after, newFigures), 'phases, budget and assignments are what they were');
  await show(cluster, kubectl('get', 'pm'));
}

async function failAndUndo(cluster: Cluster): Promise<void> {
  chapter(
    'A migration that is wrong',
    'It cuts budgets off. Its check and its snapshot see that, and it is undone by itself.',
  );
  const before = await figuresOf(cluster);
  const files = join(examples, 'round-budgets');
  const standing = join('migrations', 'sql');
  const configMap = ['create', 'configmap', 'planner-round-budgets'];
  await show(cluster, kubectl(...configMap, ...configMapFiles(standing, files)));
  await show(cluster, kubectl('apply', '--server-side', '-f', join(files, 'phasemigration.yaml')));
  const seen = await ended(cluster, 'round-budgets', 'A wrong migration, and its undoing');
  expectThat(seen.phase === 'RolledBack', 'it was undone by itself', seen.message);
  const after = await figuresOf(cluster);
  expectThat(isDeepStrictEqual(after, before), 'every figure is what it was');
  await show(cluster, kubectl('get', 'pm'));
}

async function rollBackOnRequest(cluster: Cluster): Promise<void> {
  chapter('Rollback on request', 'spec.state says what is wanted: in Git, or by hand.');
  const previousRun = await latestRun(cluster);
  await show(cluster, kubectl('patch', 'pm', name, '--type=merge', '-p', '{"spec":{"state":"RolledBack"}}'));
  const seen = await ended(cluster, name, 'Undoing 92023c163a26 → 976e6adbac6f', previousRun);
  expectThat(seen.phase === 'RolledBack', 'the migration was undone as requested', seen.message);
  const warned = seen.warnings.some((warning) => warning.startsWith('420 assignments were outside'));
  expectThat(warned, 'the operator has warned of 420 assignments', seen.warnings.join('; '));
  const image = await cluster.exec(
    kubectl(
      'get',
      'deployment',
      'planner-backend',
      '-o',
      'jsonpath={.spec.template.spec.containers[0].image} × {.status.readyReplicas}',
    ),
  );
  expectThat(image.stdout === 'planner-backend:1.0.0 × 3', `the old version is back: ${image.stdout}`);
}

async function migrateAgain(cluster: Cluster): Promise<void> {
  chapter('And forward again');
  const previousRun = await latestRun(cluster);
  await show(cluster, kubectl('patch', 'pm', name, '--type=merge', '-p', '{"spec":{"state":"Migrated"}}'));
  const seen = await ended(cluster, name, 'Migrating 976e6adbac6f → 92023c163a26', previousRun);
  expectThat(seen.phase === 'Succeeded', 'the migration has succeeded again', seen.message);
}

async function tellTheEnd(cluster: Cluster, began: number): Promise<void> {
  chapter('What stays to be read');
  await show(cluster, kubectl('describe', 'pm', name), withoutSpec);
  await show(cluster, kubectl('get', 'pm,pmr'));
  chapter('Look around');
  const isOurs = cluster.provider === 'kind';
  const looks = [
    ['get', 'pm,pmr,pods'],
    ['describe', 'pmr', `${name}-1`],
    ['explain', 'pm.spec.verification'],
  ];
  for (const look of looks) console.log(typed(cluster, kubectl(...look)));
  console.log(`${isOurs ? '' : 'PHASE_MIGRATION_CLUSTER=existing '}npm run psql -- -c 'SELECT * FROM phasemigration.ledger'

Remove everything:  ${isOurs ? `npm run cluster -- down; what was downloaded and built stays in ${cacheFolder()}` : removal()}

The demonstration took ${Math.round((Date.now() - began) / 1000)} s.`);
}

/** The cluster was there before, and stays. PhaseMigrations go first: only the operator lets them go. */
function removal(): string {
  const commands = [
    `kubectl -n ${namespace} delete pm --all`,
    `kubectl delete namespace ${namespace}`,
    `helm uninstall ${standardPlace.release} -n ${standardPlace.namespace}`,
    'kubectl delete crd phasemigrations.phasemigration.io phasemigrationruns.phasemigration.io',
  ];
  return commands.join(' && ');
}

async function ended(cluster: Cluster, migration: string, title: string, previousRun?: string): Promise<Seen> {
  const followed = { namespace, name: migration, previousRun };
  const seen = await withProgress(title, (progress) => follow(cluster, followed, progress));
  for (const warning of seen.warnings) console.log(`! ${warning}`);
  return seen;
}

async function latestRun(cluster: Cluster): Promise<string> {
  return (await cluster.exec(kubectl('get', 'pm', name, '-o', 'jsonpath={.status.runName}'))).stdout;
}

function configMapFiles(sql: string, files: string): string[] {
  const applied = [
    '000000000000_base_schema',
    '976e6adbac6f_add_scope_performance_indexes',
    '92023c163a26_transform_phases_to_user_definable',
  ];
  const own = ['index.json', '5b1e7c0d9a42_round_budgets.up.sql', '5b1e7c0d9a42_round_budgets.down.sql'];
  const paths = [
    ...applied.flatMap((each) => [`${each}.up.sql`, `${each}.down.sql`]).map((file) => join(sql, file)),
    ...own.map((file) => join(files, file)),
  ];
  return paths.map((path) => `--from-file=${path}`);
}
