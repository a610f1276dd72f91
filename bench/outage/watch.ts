import type { Cluster } from '../../e2e/cluster/provider.ts';
import { followLines } from './follow.ts';
import { momentsOf, type PodEvent, type ScaleEvent } from './moments.ts';
import type { WorkloadMoments } from './split.ts';

export interface WorkloadWatch {
  /** Resolves when the workload and its pods as they are have been seen. */
  started: Promise<void>;
  /** Ends watching. @returns the moments of the outage that was watched */
  stop(): Promise<WorkloadMoments>;
  /** Ends watching without a result. */
  abandon(): Promise<void>;
}

/** Watches a Deployment and its pods from outside, with the time at which each change is seen here. */
export function watchWorkload(
  cluster: Cluster,
  namespace: string,
  deployment: { name: string; selector: string },
): WorkloadWatch {
  const pods: PodEvent[] = [];
  const scales: ScaleEvent[] = [];
  const { promise: started, resolve } = Promise.withResolvers<void>();
  const seen = () => {
    const [scale] = scales;
    if (scale && new Set(pods.map(({ name }) => name)).size >= scale.replicas) resolve();
  };
  const follow = (what: string[], template: string, take: (fields: string[]) => void) =>
    followLines(
      cluster,
      [
        'kubectl',
        '-n',
        namespace,
        'get',
        ...what,
        '--watch',
        '--output-watch-events',
        '-o',
        `jsonpath=${template}{"\\n"}`,
      ],
      (line) => {
        take(line.split('|'));
        seen();
      },
    );
  const podFollower = follow(
    ['pods', '--selector', deployment.selector],
    // Not tabs: kubectl makes columns of them.
    '{.type}|{.object.metadata.name}|{.object.metadata.deletionTimestamp}|{.object.status.conditions[?(@.type=="Ready")].status}|{.object.status.phase}',
    ([type, name = '', deletion = '', ready, phase]) =>
      pods.push({
        at: Date.now(),
        name,
        isTerminating: deletion !== '' || type === 'DELETED',
        hasEnded: type === 'DELETED' || phase === 'Succeeded' || phase === 'Failed',
        isReady: ready === 'True' && deletion === '',
      }),
  );
  const scaleFollower = follow(['deployment', deployment.name], '{.object.spec.replicas}', ([replicas]) =>
    scales.push({ at: Date.now(), replicas: Number(replicas) }),
  );
  const abandon = async () => {
    await Promise.all([podFollower.kill(), scaleFollower.kill()]);
  };
  return {
    started,
    abandon,
    stop: async () => {
      await abandon();
      return momentsOf(scales, pods);
    },
  };
}
