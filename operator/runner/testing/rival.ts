import { randomUUID } from 'node:crypto';
import { silentLogger } from '../../kube/logger.ts';
import { runRunner, type RunnerEnd } from '../run.ts';
import { MemoryRun } from './memory-port.ts';
import type { Scenario } from './scenario.ts';

/** Another run, of another cluster, on a scenario's database. */
export interface Rival {
  memory: MemoryRun;
  ended: Promise<RunnerEnd>;
  end: () => Promise<unknown>;
}

/** Starts run north/rival-1 of cluster north, in pod rival-pod. */
export function startRival(scenario: Scenario, changes: { maintenanceDatabase?: string } = {}): Rival {
  const { status: _status, ...run } = scenario.memory.run;
  const spec = structuredClone({ ...run.spec, goal: 'Prepared' as const, runnerEpoch: 1 });
  if (changes.maintenanceDatabase) spec.plan.database.maintenanceDatabase = changes.maintenanceDatabase;
  const memory = new MemoryRun({ ...run, metadata: { namespace: 'north', name: 'rival-1', uid: randomUUID() }, spec });
  const ending = new AbortController();
  const ended = runRunner({
    ...{ port: memory.port(1), databaseUrl: () => scenario.url, epoch: 1, podName: 'rival-pod', clusterName: 'north' },
    ...{ folders: scenario.folders, logger: silentLogger, signal: ending.signal },
  });
  const end = () => {
    ending.abort();
    return ended.catch(() => undefined);
  };
  return { memory, ended, end };
}
