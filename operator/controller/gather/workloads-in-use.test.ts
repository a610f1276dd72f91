import { expect } from 'chai';
import type { PhaseMigrationRunStatus } from '../../api/phase-migration-run.ts';
import type { PhaseMigrationRun } from '../../api/resources.ts';
import { World } from '../decide/simulation/world.ts';
import { workloadsInUse } from './workloads-in-use.ts';

function runOf(name: string, options: { workload?: string; status?: PhaseMigrationRunStatus } = {}) {
  const run = structuredClone(new World().run) as PhaseMigrationRun;
  run.metadata = { ...run.metadata, name, uid: name };
  run.spec.plan.workloads = [{ kind: 'Deployment', name: options.workload ?? 'backend', startPolicy: 'AfterUnfence' }];
  run.status = options.status ?? {};
  return run;
}

const recorded: PhaseMigrationRunStatus['workloads'] = [
  { kind: 'Deployment', name: 'backend', uid: 'd', replicas: 3, selector: 'x', images: {} },
];

describe('workloadsInUse', () => {
  const own = runOf('own');
  const holders = (...others: PhaseMigrationRun[]) => workloadsInUse(own, [own, ...others]).map(({ run }) => run);

  it('names a run that has recorded the workload and has not ended', () => {
    expect(holders(runOf('other', { status: { workloads: recorded } }))).to.deep.equal(['other']);
    expect(holders(runOf('ended', { status: { workloads: recorded, outcome: 'RolledBack' } }))).to.deep.equal([]);
  });

  it('names a run that left the workload down for a person', () => {
    const status: PhaseMigrationRunStatus = { workloads: recorded, outcome: 'NeedsHuman' };
    expect(holders(runOf('stuck', { status }))).to.deep.equal(['stuck']);
  });

  it('names no run of other workloads, and none that has not touched them yet', () => {
    const others = [runOf('of another', { workload: 'frontend', status: { workloads: recorded } }), runOf('preparing')];
    expect(holders(...others)).to.deep.equal([]);
  });
});
