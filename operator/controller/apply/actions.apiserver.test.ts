import { expect } from 'chai';
import type { PhaseMigrationRun } from '../../api/resources.ts';
import { newNamespace, startHarness, Widget, widget, type Harness } from '../../kube/harness.test.ts';
import { isConflict } from '../../kube/client.ts';
import { Deployment, Job, Role, ServiceAccount } from '../../kube/resource-types.ts';
import type { Action } from '../decide/decision.ts';
import { World } from '../decide/simulation/world.ts';
import { applyAction } from './actions.ts';

const RUNNER = { image: 'runner:1', pullPolicy: 'IfNotPresent' } as const;

describe('Creating what a run needs, on a real API server', function () {
  this.timeout(60_000);
  let harness: Harness;
  let namespace: string;

  before(async function () {
    this.timeout(0);
    harness = await startHarness();
  });
  after(() => harness?.stop());
  beforeEach(async () => {
    namespace = await newNamespace(harness.client);
  });

  /** A run under a UID that the garbage collector knows, and which nothing else belongs to. */
  async function newRun(ownerName: string): Promise<PhaseMigrationRun> {
    const { apiVersion, kind, metadata } = await harness.client.create(Widget, widget(namespace, ownerName));
    const run = new World().run as PhaseMigrationRun;
    return { ...run, apiVersion, kind, metadata: { ...run.metadata, namespace, uid: metadata.uid } };
  }

  it('is harmless to repeat', async () => {
    const run = await newRun('a');
    for (let time = 0; time < 2; time++)
      await applyAction(harness.client, run, { kind: 'CreateRunner', epoch: 1 }, RUNNER);
    const jobs = await harness.client.list(Job, { namespace });
    expect(jobs.items.map(({ metadata }) => metadata.name)).to.deep.equal(['pm-1-runner-1']);
  });

  it('takes no Job of an earlier run of the same name for its own, and says which one it is', async () => {
    await applyAction(harness.client, await newRun('earlier'), { kind: 'CreateRunner', epoch: 1 }, RUNNER);
    const run = await newRun('later');
    const refused = await applyAction(harness.client, run, { kind: 'CreateRunner', epoch: 1 }, RUNNER).catch(String);
    expect(refused).to.contain(`Job pm-1-runner-1 exists in namespace ${namespace} and is not of this run`);
    const accounts = await harness.client.list(ServiceAccount, { namespace });
    const owners = accounts.items.flatMap(({ metadata }) => metadata.ownerReferences?.map(({ uid }) => uid) ?? []);
    expect(owners, 'each has an account of its own').to.have.length(2).and.to.include(run.metadata.uid);
  });

  it('makes the Role of a runner again that somebody deleted', async () => {
    const run = await newRun('a');
    await applyAction(harness.client, run, { kind: 'CreateRunner', epoch: 1 }, RUNNER);
    const names = async () =>
      (await harness.client.list(Role, { namespace })).items.map(({ metadata }) => metadata.name);
    const [name = ''] = await names();
    await harness.client.delete(Role, { namespace, name });
    expect(await names()).to.deep.equal([]);
    await applyAction(harness.client, run, { kind: 'RestoreRunnerAccess' }, RUNNER);
    expect(await names()).to.deep.equal([name]);
  });

  it('changes no workload that somebody has changed since it was looked at', async () => {
    const run = await newRun('a');
    const template = { metadata: { labels: { app: 'x' } }, spec: { containers: [{ name: 'x', image: 'x:1' }] } };
    const spec = { replicas: 2, selector: { matchLabels: { app: 'x' } }, template };
    const made = await harness.client.create(Deployment, {
      ...{ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'x', namespace }, spec },
    });
    const seen = { kind: 'Deployment' as const, name: 'x', resourceVersion: made.metadata.resourceVersion ?? '' };
    const actions: Action[] = [
      { kind: 'Scale', workload: seen, replicas: 0 },
      { kind: 'SetImages', workload: seen, images: { x: 'x:2' } },
    ];
    await harness.client.patch(
      Deployment,
      { namespace, name: 'x' },
      {
        ...{ kind: 'Merge', body: { metadata: { annotations: { changed: 'yes' } } }, fieldManager: 'somebody' },
      },
    );
    for (const action of actions) {
      const refused: unknown = await applyAction(harness.client, run, action, RUNNER).catch((error: unknown) => error);
      expect(isConflict(refused), `${action.kind}: ${String(refused)}`).to.equal(true);
    }
    const current = await harness.client.get(Deployment, { namespace, name: 'x' });
    expect(current?.spec?.replicas).to.equal(2);
    expect(current?.spec?.template.spec?.containers[0]?.image).to.equal('x:1');
    const { resourceVersion = '' } = current?.metadata ?? {};
    await applyAction(
      harness.client,
      run,
      { kind: 'Scale', workload: { ...seen, resourceVersion }, replicas: 0 },
      RUNNER,
    );
    expect((await harness.client.get(Deployment, { namespace, name: 'x' }))?.spec?.replicas).to.equal(0);
  });
});
