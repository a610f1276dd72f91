import type { CommandResult } from '../command.ts';

/** Names inside the cluster as kubeadm sets them up; every other name is answered "there is no such name" at once. */
const corefile = `cluster.local:53 in-addr.arpa:53 ip6.arpa:53 {
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
  const patch = JSON.stringify({ data: { Corefile: corefile } });
  const system = ['kubectl', '--namespace=kube-system'];
  await exec([...system, 'patch', 'configmap', 'coredns', `--patch=${patch}`]);
  // The pods would read it again only after half a minute; and one is enough for one node.
  await exec([...system, 'scale', 'deployment/coredns', '--replicas=1']);
  await exec([...system, 'rollout', 'restart', 'deployment/coredns']);
}
