import { silent, type Progress } from '../cluster/progress.ts';
import type { Cluster } from '../cluster/provider.ts';
import { seedPlanner as seed, type Dataset } from './planner.ts';

export { buildImages, loadImages, prepareImages, type BuiltImages } from './images.ts';
export { installOperator } from './operator.ts';
export { installPlanner } from './planner.ts';

/** Loads one data set of migrations/seed into the planner's database; rows that are there already stay as they are. */
export async function seedPlanner(
  cluster: Cluster,
  options: { namespace: string; dataset: Dataset; progress?: Progress },
): Promise<void> {
  const { namespace, dataset, progress = silent } = options;
  progress(`loading the planner’s data: ${dataset}`);
  await seed(cluster, namespace, [dataset]);
}
