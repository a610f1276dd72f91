import { expect } from 'chai';
import { isIrrevocable } from './irrevocable.ts';
import { World } from './simulation/world.ts';

describe('isIrrevocable', () => {
  const seen = new World().observe()!;
  const none = { actions: [], notices: [] };
  const failure = { step: 'Verify', reason: 'CheckFailed', message: 'wrong' } as const;

  it('is whatever starts another runner, begins to undo, or ends', () => {
    expect(isIrrevocable(seen, { ...none, spec: { runnerEpoch: 2 } })).to.equal(true);
    expect(isIrrevocable(seen, { ...none, status: { failure } })).to.equal(true);
    expect(isIrrevocable(seen, { ...none, status: { outcome: 'Succeeded' } })).to.equal(true);
    expect(isIrrevocable(seen, { ...none, finalizer: 'Remove' })).to.equal(true);
  });

  it('is that the fence may be lifted, not that it may not', () => {
    expect(isIrrevocable(seen, { ...none, status: { workloadsStopped: true } })).to.equal(true);
    expect(isIrrevocable(seen, { ...none, status: { workloadsStopped: false } })).to.equal(false);
  });

  it('is a goal that follows from pods of which some are missing', () => {
    const workloads = [
      { kind: 'Deployment' as const, name: 'backend', uid: 'd', replicas: 3, selector: 'x', images: {} },
    ];
    const run = { ...seen.run, status: { workloads } };
    const goesOn = { ...none, spec: { goal: 'Migrated' as const } };
    expect(isIrrevocable({ ...seen, run }, goesOn)).to.equal(false);
    const [workload] = seen.workloads;
    const lagging = [{ ...workload!, pods: workload!.pods.slice(1) }];
    expect(isIrrevocable({ ...seen, run, workloads: lagging }, goesOn)).to.equal(true);
  });

  it('is a verification that failed, and the end of the outage', () => {
    const verificationJobs = [{ name: 'a', jobName: 'a', epoch: 1, state: 'Failed' as const }];
    expect(isIrrevocable(seen, { ...none, status: { verificationJobs } })).to.equal(true);
    const run = { ...seen.run, status: { verificationJobs } };
    expect(isIrrevocable({ ...seen, run }, { ...none, status: { verificationJobs } })).to.equal(false);
    expect(isIrrevocable(seen, { ...none, status: { outage: { endTime: '2026-01-31T22:00:00Z' } } })).to.equal(true);
  });

  it('is not what is recorded already, nor a step on the way', () => {
    const run = { ...seen.run, status: { failure, outcome: 'RolledBack' as const } };
    expect(isIrrevocable({ ...seen, run }, { ...none, status: run.status })).to.equal(false);
    expect(isIrrevocable(seen, { ...none, spec: { goal: 'Migrated' }, status: {} })).to.equal(false);
    expect(isIrrevocable(seen, { ...none, finalizer: 'Add' })).to.equal(false);
  });
});
