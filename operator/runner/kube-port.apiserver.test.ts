import { expect } from 'chai';
import { startControlPlane, type ControlPlane } from '../../e2e/cluster/control-plane.ts';
import { customResourceDefinition, customResources } from '../api/crd.ts';
import { GROUP, VERSION } from '../api/names.ts';
import type { PhaseMigrationRun } from '../api/resources.ts';
import { KubeClient } from '../kube/client.ts';
import { silentLogger } from '../kube/logger.ts';
import { CustomResourceDefinition, Namespace } from '../kube/resource-types.ts';
import { World } from '../controller/decide/simulation/world.ts';
import { PhaseMigrationRun as Runs } from '../controller/resource-types.ts';
import { KubeRunPort } from './kube-port.ts';
import type { Migration } from './core/migrations.ts';
import { until } from './postgres/wait.ts';
import { Reporter } from './reporter.ts';
import { recordApplied } from './steps/migrate.ts';
import { recordStep, warn } from './work.ts';

describe('The reports of a runner, on a real API server', function () {
  this.timeout(60_000);
  const ref = { namespace: 'reports', name: 'pm-1' };
  let plane: ControlPlane;
  let client: KubeClient;
  /** Every patch that was sent, to be sent again. */
  let sent: (() => Promise<unknown>)[];
  let isAnswerLost = false;
  let port: KubeRunPort;

  before(async function () {
    this.timeout(0);
    plane = await startControlPlane({ controllerManager: false });
    client = KubeClient.fromKubeconfig(plane.kubeconfig);
    for (const resource of customResources)
      await client.create(
        CustomResourceDefinition,
        customResourceDefinition(resource) as unknown as CustomResourceDefinition,
      );
    await client.create(Namespace, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: ref.namespace } });
    const { spec } = new World().run as PhaseMigrationRun;
    // The new kind is served a moment after it was made.
    await until(10_000, 'runs to be served', () => client.list(Runs).then(Boolean, () => false));
    await client.create(Runs, { apiVersion: `${GROUP}/${VERSION}`, kind: Runs.kind, metadata: ref, spec });
  });
  after(async () => {
    client?.close();
    await plane?.stop();
  });
  beforeEach(async () => {
    sent = [];
    const patch = async (...args: Parameters<KubeClient['patch']>) => {
      sent.push(() => client.patch(...args));
      const answer = await client.patch(...args);
      if (!isAnswerLost) return answer;
      isAnswerLost = false;
      throw new Error('the answer was lost');
    };
    const recording = { get: client.get.bind(client), patch } as unknown as KubeClient;
    port = new KubeRunPort(recording, ref, { epoch: 1, logger: silentLogger });
    await port.claim({ epoch: 1, revision: 'claimed' });
  });

  const revision = async () => (await port.get()).status?.runner?.revision;

  it('replace one another in their order, and one that comes late changes nothing', async () => {
    await port.report({ epoch: 1, revision: 'a' });
    await port.report({ epoch: 1, revision: 'b' });
    for (const again of sent) {
      const refusal: unknown = await again().catch((error: unknown) => error);
      expect(refusal).to.be.instanceOf(Error);
    }
    expect(await revision()).to.equal('b');
  });

  it('go on after one whose answer was lost', async () => {
    isAnswerLost = true;
    const lost: unknown = await port.report({ epoch: 1, revision: 'a' }).catch((error: unknown) => error);
    expect(lost).to.be.instanceOf(Error);
    expect(await revision()).to.equal('a');
    // The first time it learns that the report is there.
    await port.report({ epoch: 1, revision: 'b' }).catch(() => port.report({ epoch: 1, revision: 'b' }));
    expect(await revision()).to.equal('b');
  });

  describe('are taken, however long what they tell is', () => {
    const long = 'x'.repeat(20_000);
    const applied = Array.from({ length: 600 }, (_, n) => ({
      migration: { revision: String(n), checksum: 'c' } as Migration,
      direction: 'up' as const,
      milliseconds: 1,
    }));
    const told: [what: string, tell: (reporter: Reporter) => void][] = [
      ['a message', (reporter) => recordStep(reporter, { name: 'Fence', state: 'Failed', reason: 'R', message: long })],
      ['evidence', (reporter) => recordStep(reporter, { name: 'Fence', state: 'Running', evidence: { long } })],
      ['a warning', (reporter) => warn(reporter, long)],
      ['what is waited for', (reporter) => reporter.update({ waitingFor: long })],
      ['the revision of a ledger', (reporter) => reporter.update({ revision: long })],
      ['a list of migrations', (reporter) => recordApplied({ reporter }, applied, 'Applied')],
    ];
    for (const [what, tell] of told)
      it(what, async () => {
        const ending = new AbortController();
        const reporter = new Reporter({ epoch: 1 }, port, { signal: ending.signal, logger: silentLogger });
        tell(reporter);
        setTimeout(() => ending.abort(), 5000);
        await reporter.flush();
        ending.abort();
        expect((await port.get()).status?.runner).to.deep.include(reporter.status);
      });
  });
});
