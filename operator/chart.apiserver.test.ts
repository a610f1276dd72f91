import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { execa } from 'execa';
import { loadAll } from 'js-yaml';
import { kubernetesVersion } from '../e2e/cluster/offline/binaries.ts';
import { ensurePrograms } from '../e2e/cluster/offline/go-build.ts';
import type { KubeObject } from './kube/types.ts';

const CHART = fileURLToPath(new URL('../charts/phase-migration-operator', import.meta.url));

interface Rule {
  resources: string[];
  verbs: string[];
}

interface Rendered extends KubeObject {
  rules?: Rule[];
  spec?: {
    replicas?: number;
    strategy?: { rollingUpdate: { maxSurge: number; maxUnavailable: number } };
    maxUnavailable?: number;
  };
}

describe('The chart of the operator', function () {
  this.timeout(0);
  let helmProgram: string;
  let home: string;

  before(async () => {
    ({ helm: helmProgram } = await ensurePrograms(['helm']));
    home = await mkdtemp(join(tmpdir(), 'operator-chart-'));
  });
  after(() => rm(home, { recursive: true, force: true }));

  async function helm(...args: string[]): Promise<string> {
    const env = { HELM_CACHE_HOME: home, HELM_CONFIG_HOME: home, HELM_DATA_HOME: home };
    return (await execa(helmProgram, args, { env })).stdout;
  }

  async function render(...args: string[]): Promise<Rendered[]> {
    const text = await helm('template', 'operator', CHART, '--kube-version', kubernetesVersion, ...args);
    return (loadAll(text) as (Rendered | undefined)[]).filter((object) => object !== undefined && object !== null);
  }

  const ofKind = (objects: Rendered[], kind: string) => objects.filter((object) => object.kind === kind);

  for (const environment of ['dev', 'staging', 'production'])
    it(`passes helm lint with values-${environment}.yaml`, async () => {
      const values = join(CHART, `values-${environment}.yaml`);
      expect(await helm('lint', '--strict', CHART, '-f', values)).to.include('0 chart(s) failed');
    });

  it('lets an old pod of several go before a new one is there, for nodes with room for one; never the only one', async () => {
    const rollingUpdateOf = async (replicas: number) =>
      ofKind(await render('--set', `replicas=${replicas}`), 'Deployment')[0]?.spec?.strategy?.rollingUpdate;
    expect(await rollingUpdateOf(1)).to.deep.equal({ maxSurge: 1, maxUnavailable: 0 });
    expect(await rollingUpdateOf(2)).to.deep.equal({ maxSurge: 1, maxUnavailable: 1 });
  });

  it('does not keep a node from being drained of the only replica', async () => {
    const budgets = async (replicas: number) =>
      ofKind(await render('--set', `replicas=${replicas}`), 'PodDisruptionBudget').map(({ spec }) => spec);
    expect(await budgets(1)).to.deep.equal([]);
    expect((await budgets(2)).map((spec) => spec?.maxUnavailable)).to.deep.equal([1]);
  });

  it('gives no permission on Secrets, none on everything, and none outside the namespaces that it watches', async () => {
    const rulesOf = (objects: Rendered[]) => objects.flatMap(({ rules = [] }) => rules);
    const everywhere = await render();
    const inOne = await render('--set', 'watchNamespaces={planner}', '--set', 'rbac.aggregateToDefaultRoles=false');
    for (const rules of [rulesOf(everywhere), rulesOf(inOne)]) {
      expect(rules).not.to.be.empty;
      for (const { resources, verbs } of rules)
        expect([...resources, ...verbs]).not.to.include.oneOf(['secrets', 'secrets/*', '*']);
    }
    expect(ofKind(everywhere, 'ClusterRole')).not.to.be.empty;
    expect(ofKind(inOne, 'ClusterRole')).to.be.empty;
  });
});
