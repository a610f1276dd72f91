import { expect } from 'chai';
import type { PhaseMigrationRun } from '../../api/resources.ts';
import { newNamespace, startHarness, Widget, widget, type Harness } from '../../kube/harness.test.ts';
import { Job, ServiceAccount } from '../../kube/resource-types.ts';
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
});
