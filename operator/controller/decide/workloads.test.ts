import { expect } from 'chai';
import { Draft } from './draft.ts';
import { World } from './simulation/world.ts';
import { bringBack, hopeless, setImagesWhileDown } from './workloads.ts';

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

describe('A container that somebody took away while the run went on', () => {
  const recorded = {
    ...{ kind: 'Deployment' as const, name: 'backend', uid: 'd', replicas: 2, selector: 'app=backend' },
    images: { backend: 'backend:1', side: 'side:1' },
  };
  function draftOf(images: Record<string, string>): Draft {
    const seen = new World().observe()!;
    seen.run.status = { workloads: [recorded] };
    Object.assign(seen.workloads[0]!.found!, { replicas: 0, images });
    return new Draft(seen);
  }

  it('is not made again, and the workload is started as it is', () => {
    const draft = draftOf({ backend: 'backend:1' });
    setImagesWhileDown(draft, ({ images }) => images);
    bringBack(draft, ({ images }) => images);
    const { actions, notices } = draft.decision();
    expect(actions.map(({ kind }) => kind)).to.deep.equal(['Scale']);
    expect(notices.map(({ reason, message }) => `${reason}: ${message}`).join()).to.match(
      /^ContainerMissing: Deployment backend .* has no container side any more/,
    );
  });

  it('does not keep the others from their images', () => {
    const draft = draftOf({ backend: 'backend:2' });
    bringBack(draft, ({ images }) => images);
    const workload = { kind: 'Deployment', name: 'backend', resourceVersion: '1' };
    const images = { backend: 'backend:1' };
    expect(draft.decision().actions).to.deep.equal([{ kind: 'SetImages', workload, images }]);
  });
});
