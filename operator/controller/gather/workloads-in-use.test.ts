import { expect } from 'chai';
import type { PhaseMigrationRunStatus } from '../../api/phase-migration-run.ts';
import type { PhaseMigrationRun } from '../../api/resources.ts';
import { World } from '../decide/simulation/world.ts';
import { workloadsInUse } from './workloads-in-use.ts';

function runOf(name: string, options: { created?: string; workload?: string; status?: PhaseMigrationRunStatus } = {}) {
  const run = structuredClone(new World().run) as PhaseMigrationRun;
  run.metadata = { ...run.metadata, name, uid: name, creationTimestamp: options.created ?? '2026-01-31T22:00:00Z' };
  run.spec.plan.workloads = [{ kind: 'Deployment', name: options.workload ?? 'backend' }];
  run.status = options.status ?? {};
  return run;
}

const recorded: PhaseMigrationRunStatus['workloads'] = [
  { kind: 'Deployment', name: 'backend', uid: 'd', replicas: 3, selector: 'x', images: {} },
];
const OLDER = '2026-01-31T21:59:59Z';
const NEWER = '2026-01-31T22:00:01Z';

describe('workloadsInUse', () => {
  const own = runOf('own');
  const holders = (...others: PhaseMigrationRun[]) => workloadsInUse(own, [own, ...others]).map(({ run }) => run);

  it('names a run that has recorded the workload and has not ended, whatever its age', () => {
    expect(holders(runOf('newer', { created: NEWER, status: { workloads: recorded } }))).to.deep.equal(['newer']);
    expect(holders(runOf('ended', { status: { workloads: recorded, outcome: 'RolledBack' } }))).to.deep.equal([]);
  });

  it('names a run that left the workload down for a person', () => {
    const status: PhaseMigrationRunStatus = { workloads: recorded, outcome: 'NeedsHuman' };
    expect(holders(runOf('stuck', { status }))).to.deep.equal(['stuck']);
  });

  it('names of two that get ready at once exactly one to the other', () => {
    for (const [one, other] of [
      [runOf('a'), runOf('b')],
      [runOf('a', { created: NEWER }), runOf('b', { created: OLDER })],
    ] as const) {
      const waiting = [workloadsInUse(one, [one, other]), workloadsInUse(other, [one, other])];
      expect(waiting.filter(({ length }) => length > 0)).to.have.length(1);
    }
  });

  it('names no run of other workloads, and none that will not touch them', () => {
    expect(
      holders(
        runOf('of another', { created: OLDER, workload: 'frontend' }),
        runOf('failed', { created: OLDER, status: { failure: { step: 'Preflight', reason: 'x', message: 'x' } } }),
        runOf('there already', { created: OLDER, status: { runner: { epoch: 1, alreadyAtTarget: true } } }),
      ),
    ).to.deep.equal([]);
  });
});
