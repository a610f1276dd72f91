import { expect } from 'chai';
import { podEnd } from './pod-end.ts';

const terminated = (exitCode: number, reason: string, message?: string) => ({
  state: { terminated: { exitCode, reason, ...(message && { message }) } },
});

describe('The end of a pod', () => {
  it('is not there while the pod runs', () => {
    expect(podEnd({})).to.equal(undefined);
    expect(podEnd({ status: { phase: 'Running' } })).to.equal(undefined);
  });

  it('is told apart: the container runtime could not start it, or its program failed', () => {
    const init = { name: 'migrations', ...terminated(128, 'StartError', 'failed to create containerd task') };
    expect(podEnd({ status: { phase: 'Failed', initContainerStatuses: [init] } })).to.deep.equal({
      succeeded: false,
      story: 'container migrations: StartError (exit code 128) failed to create containerd task',
    });
    const failed = { name: 'migrate', ...terminated(1, 'Error') };
    const copied = { name: 'migrations', ...terminated(0, 'Completed') };
    expect(
      podEnd({ status: { phase: 'Failed', initContainerStatuses: [copied], containerStatuses: [failed] } }),
    ).to.deep.equal({ succeeded: false, story: 'container migrate: Error (exit code 1)' });
  });

  it('has the pod’s own reason when the kubelet would not have it', () => {
    const status = { phase: 'Failed', reason: 'Evicted', message: 'The node was low on resource: memory.' };
    expect(podEnd({ status })?.story).to.equal('Evicted: The node was low on resource: memory.');
    expect(podEnd({ status: { phase: 'Succeeded' } })?.succeeded).to.equal(true);
  });
});
