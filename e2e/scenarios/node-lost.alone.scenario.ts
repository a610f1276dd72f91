import { providerFrom } from '../cluster/provider.ts';
import { LostNode } from '../stack/node.ts';
import { TRANSFORM } from '../stack/migration-files.ts';
import { plannerSite, type Scenario } from '../stack/scenario.ts';

/** Longer than it takes to stop a kubelet. No session can hold a step open here: `kubectl exec` ends with the kubelet. */
const slowly = (text: string) => `SELECT pg_sleep(8);\n${text}`;
const slowCheck = { name: 'slow', query: 'SELECT 0 FROM pg_sleep(8)' };

/** There is one node, with everything on it: what the control plane does not hear of goes on all the same. */
describe('The node is lost', function () {
  before(function () {
    // Nobody's but a node of our own is stopped.
    if (providerFrom(process.env) !== 'kind') this.skip();
  });
  const scenario = plannerSite('e2e-node-lost');

  /** Whatever becomes of a scenario, the next one has a node. */
  async function withNode({ site }: Scenario, body: (node: LostNode) => Promise<void>): Promise<void> {
    const node = new LostNode(site.cluster);
    try {
      await body(node);
    } finally {
      await node.bringBack();
    }
  }

  scenario('with the runner in step Migrate', async (scene) => {
    const { given, when, then } = scene;
    await withNode(scene, async (node) => {
      const migrations = await given.migrations({ [`${TRANSFORM}.up.sql`]: slowly });
      await when.applied({ spec: { migrations }, startPolicy: 'AfterUnfence' });
      await when.step('Migrate');
      await node.lose();
      await node.killRunner();
      await node.isNoticed();
    });
    await then.ends('Succeeded', 'Succeeded', /Migrated/);
    await then.isMigrated();
    await then.event('RunnerReplaced', /start 1\) ended before its work was done.*start 2 goes on/);
  });

  scenario('before the pods of the old version can end', async (scene) => {
    const { when, then } = scene;
    await withNode(scene, async (node) => {
      await when.applied({ spec: { preflight: { checks: [slowCheck] } }, startPolicy: 'AfterUnfence' });
      await when.step('Preflight');
      await node.lose();
      await when.reason(
        'Migrating',
        /step Verify\. Clients are let in again when every pod that was told to stop has ended\. Still ending: pod planner-backend-\S+ of Deployment planner-backend, pod planner-backend-\S+ of Deployment planner-backend; .*--force/,
      );
      await when.run(({ status }) => status?.runner?.fence?.state === 'Raised', 'the fence is up');
    });
    await then.ends('Succeeded', 'Succeeded', /Migrated/);
    await then.isMigrated();
    await then.noEvent('RunnerReplaced');
  });
});
