import { fileURLToPath } from 'node:url';
import { loadAll } from 'js-yaml';
import { kubernetesVersion } from '../../e2e/cluster/offline/binaries.ts';
import { run } from '../../e2e/cluster/command.ts';
import type { Progress } from '../../e2e/cluster/progress.ts';
import { toolEnvironment } from '../../e2e/cluster/tools.ts';
import type { KubeClient } from '../../operator/kube/client.ts';
import { Role, RoleBinding, ServiceAccount } from '../../operator/kube/resource-types.ts';
import type { KubeObject, ResourceType } from '../../operator/kube/types.ts';

const CHART = fileURLToPath(new URL('../../charts/phase-migration-operator', import.meta.url));
const RELEASE = 'operator';
const ANY_NAMESPACE = 'any-namespace';
const types: Record<string, ResourceType<KubeObject>> = { ServiceAccount, Role, RoleBinding };

/** What the chart lets an operator do that looks after the one namespace which it is in. */
export class ChartRights {
  readonly #template: string;

  private constructor(template: string) {
    this.#template = template;
  }

  static async read(kubeconfig: string, progress: Progress): Promise<ChartRights> {
    const values = [`watchNamespaces={${ANY_NAMESPACE}}`, 'rbac.aggregateToDefaultRoles=false'];
    const { stdout } = await run(
      [
        ...['helm', 'template', RELEASE, CHART, '--namespace', ANY_NAMESPACE, '--show-only', 'templates/rbac.yaml'],
        ...['--kube-version', kubernetesVersion],
        ...values.flatMap((value) => ['--set', value]),
      ],
      { env: await toolEnvironment(kubeconfig, progress) },
    );
    return new ChartRights(stdout);
  }

  /**
   * Gives them in a namespace.
   *
   * @returns the user that has them
   */
  async giveIn(client: KubeClient, namespace: string): Promise<string> {
    const objects = loadAll(this.#template.replaceAll(ANY_NAMESPACE, namespace)) as KubeObject[];
    let account: string | undefined;
    for (const object of objects) {
      const type = types[object.kind];
      if (!type) throw new Error(`The chart gives the operator a ${object.kind} for one namespace.`);
      await client.create(type, { ...object, metadata: { ...object.metadata, namespace } });
      if (object.kind === 'ServiceAccount') account = object.metadata.name;
    }
    if (!account) throw new Error('The chart makes no ServiceAccount.');
    return `system:serviceaccount:${namespace}:${account}`;
  }
}
