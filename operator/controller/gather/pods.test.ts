import { expect } from 'chai';
import type { Pod } from '../../kube/resource-types.ts';
import { observeJobPod, observePod } from './pods.ts';

const SECRET = 'hunter2';
const words = `first\ncannot connect to postgres://planner:${SECRET}@db/planner`;
const HIDDEN = 'cannot connect to postgres://planner:***@db/planner';

type Status = NonNullable<Pod['status']>;
type ContainerStatus = NonNullable<Status['containerStatuses']>[number];

const container = (rest: Partial<ContainerStatus>): ContainerStatus => ({
  name: 'runner',
  image: 'a',
  imageID: 'a',
  ready: false,
  restartCount: 0,
  ...rest,
});
const podWith = (status: Status): Pod => ({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'a' }, status });

describe('What is observed of a pod', () => {
  it('holds no password that a program printed as its last words', () => {
    const terminated = { exitCode: 1, message: words };
    const seen = observeJobPod(podWith({ containerStatuses: [container({ state: { terminated } })] }), 'runner');
    expect(seen.lastLines).to.equal(`first\n${HIDDEN}`);
    expect(observeJobPod(podWith({ message: words }), 'runner').lastLines).to.equal(`first\n${HIDDEN}`);
  });

  it('holds none that a crashing container printed either', () => {
    const state = { waiting: { reason: 'CrashLoopBackOff', message: 'back-off' } };
    const lastState = { terminated: { exitCode: 3, message: words } };
    const seen = observePod(podWith({ containerStatuses: [container({ state, lastState, restartCount: 4 })] }));
    expect(seen.problem).to.deep.equal({
      reason: 'CrashLoopBackOff',
      message: `container runner ended with exit code 3: ${HIDDEN}`,
      restarts: 4,
    });
  });
});
