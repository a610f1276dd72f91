import type { Progress } from '../cluster/progress.ts';
import { runShortSweeps } from '../../faults/short-form.ts';
import { findCluster } from '../cluster/find.ts';
import { buildCluster, openCluster } from '../cluster/provider.ts';
import { buildImages } from '../stack/images.ts';
import { prepareScenarios, removeScenarios } from '../stack/sites.ts';
import { ensureControlPlaneBinaries } from '../cluster/control-plane.ts';
import { ensurePrograms } from '../cluster/offline/go-build.ts';
import { ensureSystemPackages } from '../cluster/offline/system-packages.ts';
import { runSourceChecks } from './checks.ts';
import { testFiles, type TestKind } from './files.ts';
import { runMocha } from './mocha.ts';
import type { TestResult } from './results.ts';

export interface StageOptions {
  grep?: string;
  signal: AbortSignal;
}

export interface Stage {
  name: TestKind;
  title: string;
  /**
   * Installs, downloads or builds what the tests need, to be kept; quick when it is there already. It may happen beside
   * the tests of an earlier stage.
   */
  build?: (progress: Progress) => Promise<unknown>;
  /** Prepares what was built for these tests. */
  setUp?: (progress: Progress) => Promise<unknown>;
  /** Checks that come before the test files; left out when only some tests are asked for by name. */
  checks?: (signal: AbortSignal) => Promise<TestResult[]>;
  /** Takes away what `setUp` and the tests left. */
  tearDown?: (progress: Progress) => Promise<unknown>;
  timeoutMs: number;
  /** Files that run at the same time; one when left out. */
  jobs?: number;
  /** Files that run after all others, one at a time, because they disturb them. */
  alone?: RegExp;
}

export const stages: Stage[] = [
  {
    name: 'unit',
    title: 'sources and unit tests',
    checks: runSourceChecks,
    timeoutMs: 20_000,
  },
  {
    name: 'postgres',
    title: 'tests on a real PostgreSQL',
    build: async (progress) => {
      await ensureSystemPackages(['postgresql-15', 'postgresql-client-15', 'pgbouncer'], progress);
      await ensurePrograms(['minio'], progress);
    },
    timeoutMs: 60_000,
    // Each file has servers of its own, and waits for processes to start much of its time.
    jobs: 2,
  },
  {
    name: 'apiserver',
    title: 'tests on a real API server',
    build: async (progress) => {
      await ensureControlPlaneBinaries(progress);
      await ensurePrograms(['kubectl', 'helm'], progress);
    },
    timeoutMs: 120_000,
    // Each file has a control plane of its own, and waits for leases and watches most of its time.
    jobs: 3,
  },
  {
    name: 'faults',
    title: 'fault sweep, short form',
    build: async (progress) => {
      await ensureControlPlaneBinaries(progress);
      await ensureSystemPackages(['postgresql-15', 'postgresql-client-15'], progress);
    },
    checks: runShortSweeps,
    timeoutMs: 0,
  },
  {
    name: 'cluster',
    title: 'scenarios on a whole cluster',
    build: async (progress) => {
      await buildCluster({ progress });
      await buildImages(progress);
    },
    setUp: async (progress) => prepareScenarios(await openCluster({ progress }), progress),
    tearDown: async (progress) => removeScenarios(await findCluster(), progress),
    timeoutMs: 300_000,
    // Most of a scenario is waiting for pods.
    jobs: 3,
    alone: /\.alone\.scenario\.ts$/,
  },
];

/** Runs a stage's checks and test files; resolves with undefined when it has neither yet. */
export async function runStage(stage: Stage, options: StageOptions): Promise<TestResult[] | undefined> {
  const files = await testFiles(stage.name);
  const checks = options.grep ? [] : ((await stage.checks?.(options.signal)) ?? []);
  if (files.length === 0) return checks.length > 0 ? checks : undefined;
  const { timeoutMs, jobs, alone } = stage;
  const [together, afterwards] = [
    files.filter((file) => !alone?.test(file)),
    files.filter((file) => alone?.test(file)),
  ];
  const results = [...checks];
  for (const run of [{ files: together, jobs }, { files: afterwards }])
    if (run.files.length > 0 && !options.signal.aborted)
      results.push(...(await runMocha({ ...run, timeoutMs, ...options })));
  return results;
}
