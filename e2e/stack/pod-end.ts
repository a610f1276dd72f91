/** What the end of a pod is told by: status.phase and how its containers ended. */
export interface EndedPod {
  status?: {
    phase?: string;
    reason?: string;
    message?: string;
    initContainerStatuses?: ContainerStatus[];
    containerStatuses?: ContainerStatus[];
  };
}

interface ContainerStatus {
  name: string;
  state?: { terminated?: { reason?: string; exitCode: number; message?: string } };
}

/** How a pod that is not restarted has ended. */
export interface PodEnd {
  succeeded: boolean;
  /** One line for each container that did not end well, or the pod's own reason. */
  story: string;
}

/** How a pod with `restartPolicy: Never` has ended; undefined while it has not. */
export function podEnd({ status = {} }: EndedPod): PodEnd | undefined {
  if (status.phase !== 'Succeeded' && status.phase !== 'Failed') return undefined;
  const ends = [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])].flatMap(
    ({ name, state }) => (state?.terminated ? [{ name, ...state.terminated }] : []),
  );
  const lines = ends
    .filter(({ exitCode }) => exitCode !== 0)
    .map(({ name, reason, exitCode, message }) =>
      `container ${name}: ${reason ?? 'ended'} (exit code ${exitCode}) ${message ?? ''}`.trimEnd(),
    );
  const own = [status.reason, status.message].filter((word) => word !== undefined);
  return {
    succeeded: status.phase === 'Succeeded',
    story: [...(own.length > 0 ? [own.join(': ')] : []), ...lines].join('\n'),
  };
}
