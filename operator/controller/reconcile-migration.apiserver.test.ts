import { expect } from 'chai';
import { startControlPlane, type ControlPlane } from '../../e2e/cluster/control-plane.ts';
import { customResourceDefinition, customResources } from '../api/crd.ts';
import { API_VERSION } from '../api/names.ts';
import { isForbidden, KubeClient } from '../kube/client.ts';
import type { EventInput } from '../kube/events.ts';
import { newNamespace, until } from '../kube/harness.test.ts';
import { CustomResourceDefinition } from '../kube/resource-types.ts';
import type { KubeObject, ResourceType } from '../kube/types.ts';
import { Scene } from './decide/simulation/scene.ts';
import { World } from './decide/simulation/world.ts';
import { reconcileMigration } from './reconcile-migration.ts';
import { PhaseMigration, PhaseMigrationRun } from './resource-types.ts';

const ResourceQuota: ResourceType<KubeObject & { spec: { hard: Record<string, string> } }> = {
  group: '',
  version: 'v1',
  kind: 'ResourceQuota',
  plural: 'resourcequotas',
  namespaced: true,
};

describe('A run that may not be created, on a real API server', function () {
  this.timeout(0);
  let plane: ControlPlane;
  let client: KubeClient;

  before(async () => {
    plane = await startControlPlane({ controllerManager: false });
    client = KubeClient.fromKubeconfig(plane.kubeconfig);
    for (const resource of customResources)
      await client.create(
        CustomResourceDefinition,
        customResourceDefinition(resource) as unknown as CustomResourceDefinition,
      );
    for (const type of [PhaseMigration, PhaseMigrationRun])
      await until(
        () => client.list(type as ResourceType<KubeObject>).then(Boolean, () => false),
        `${type.plural} are served`,
      );
  });
  after(async () => {
    client?.close();
    await plane?.stop();
  });

  /** The API server learns of a quota a moment after it was made. */
  async function isRefused(namespace: string): Promise<boolean> {
    const { spec } = new World().run!;
    const { kind } = PhaseMigrationRun;
    return client
      .create(PhaseMigrationRun, {
        apiVersion: API_VERSION,
        kind,
        metadata: { generateName: 'probe-', namespace } as never,
        spec,
      })
      .then(() => false, isForbidden);
  }

  it('is told as an event of the PhaseMigration, in the API server’s words', async () => {
    const namespace = await newNamespace(client);
    const hard = { 'count/phasemigrationruns.phasemigration.io': '0' };
    await client.create(ResourceQuota, {
      ...{ apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'none', namespace }, spec: { hard } },
    });
    // What its controller would say, which is not there: only then is it heeded.
    const body = { status: { hard, used: hard } };
    await client.patch(ResourceQuota, { namespace, name: 'none' }, { kind: 'Merge', subresource: 'status', body });
    await until(() => isRefused(namespace), 'the quota is heeded');
    const { apiVersion, kind, spec } = new Scene().migration;
    const metadata = { name: 'phases', namespace };
    await client.create(PhaseMigration, { apiVersion, kind, metadata, spec });
    const told: EventInput[] = [];
    const parts = { client, events: { record: (event: EventInput) => told.push(event) }, wakeRun: () => undefined };
    const outcome = await reconcileMigration(parts, `${namespace}/phases`).catch((error: unknown) => error);
    expect(String(outcome)).to.match(/phases-1.* is forbidden: /);
    const warnings = told.filter(({ reason }) => reason === 'WriteRefused');
    expect(warnings.map(({ regarding }) => regarding.metadata.name)).to.deep.equal(['phases']);
    expect(warnings[0]?.note).to.match(/quota/);
  });
});
