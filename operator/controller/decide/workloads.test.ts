import { expect } from 'chai';
import { hopeless } from './workloads.ts';

const pod = (reason: string, message: string, restarts = 0) => ({
  name: 'a',
  terminating: false,
  ended: false,
  ready: false,
  problem: { reason, message, restarts },
});

describe('hopeless', () => {
  it('is a pod whose Secret, key or image is not there, and one that crashes again and again', () => {
    expect(hopeless(pod('CreateContainerConfigError', 'secret "planner-app" not found'))).to.equal(true);
    expect(hopeless(pod('CreateContainerConfigError', "couldn't find key TOKEN in Secret ns/planner-app"))).to.equal(
      true,
    );
    expect(hopeless(pod('ImagePullBackOff', 'Back-off pulling image "a:1"'))).to.equal(true);
    expect(hopeless(pod('CrashLoopBackOff', 'exit code 1', 3))).to.equal(true);
  });

  it('is not a pod whose node is only slow', () => {
    const slow = 'failed to sync secret cache: timed out waiting for the condition';
    expect(hopeless(pod('CreateContainerConfigError', slow))).to.equal(false);
    expect(hopeless(pod('CreateContainerError', 'context deadline exceeded'))).to.equal(false);
    expect(hopeless(pod('CrashLoopBackOff', 'exit code 1', 1))).to.equal(false);
  });
});
