import type { CommandResult } from '../command.ts';
import { contentHash } from '../hash.ts';

/** Names inside the cluster as kubeadm sets them up; every other name is answered "there is no such name" at once. */
export const corefile = `cluster.local:53 in-addr.arpa:53 ip6.arpa:53 {
    errors
    health {
       lameduck 5s
    }
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
       pods insecure
       ttl 30
    }
    prometheus :9153
    cache 30 {
       disable success cluster.local
       disable denial cluster.local
    }
    reload
    loadbalance
}
.:53 {
    errors
    template ANY ANY {
       rcode NXDOMAIN
    }
    reload
}
`;

/**
 * Makes the cluster's name service answer for names outside the cluster itself. There is nothing behind it: asking the
 * machine's name servers would take many seconds to fail, and fail with "try again" instead of "no such name".
 *
 * @param exec runs a command that can use kubectl on the new cluster
 */
export async function answerOutsideNames(exec: (command: string[]) => Promise<CommandResult>): Promise<void> {
  const settings = { data: { Corefile: corefile } };
  const deployment = {
    // One is enough for one node.
    replicas: 1,
    template: {
      // The pods would read their settings again only after half a minute.
      metadata: { annotations: { 'phase-migration/corefile': contentHash([corefile]) } },
      // Asked only every ten seconds, it would be the last thing that a new cluster waits for.
      spec: { containers: [{ name: 'coredns', readinessProbe: { periodSeconds: 1 } }] },
    },
  };
  const patch = ['kubectl', '--namespace=kube-system', 'patch'];
  await exec([...patch, 'configmap', 'coredns', `--patch=${JSON.stringify(settings)}`]);
  await exec([...patch, 'deployment', 'coredns', `--patch=${JSON.stringify({ spec: deployment })}`]);
}
