import { expect } from 'chai';
import { readFile } from 'node:fs/promises';
import { load } from 'js-yaml';
import { phaseMigrationSpec } from '../../operator/api/phase-migration.ts';
import type { Workload } from '../../operator/api/plan.ts';
import { merge, plannerManifest, type ManifestChanges } from './manifest.ts';

const checks = async (name: string) =>
  load(await readFile(new URL(`../../migrations/checks/${name}.yaml`, import.meta.url), 'utf8'));

describe('the example manifest of the planner', () => {
  it('has exactly the checks and snapshots of migrations/checks', async () => {
    const { spec } = await plannerManifest();
    const { preflight, snapshots, verification } = spec as Record<string, Record<string, unknown>>;
    expect(snapshots).to.deep.equal(await checks('snapshots'));
    expect(preflight!.checks).to.deep.equal(await checks('preflight'));
    expect(verification!.checks).to.deep.equal(await checks('forward'));
    expect(verification!.rollbackChecks).to.deep.equal(await checks('rollback'));
    expect(phaseMigrationSpec.parse(spec).verification.checks).to.have.length(9);
  });

  it('starts its workloads as asked', async () => {
    const policies = async (changes?: ManifestChanges) =>
      ((await plannerManifest(changes)).spec.workloads as Workload[]).map(({ startPolicy }) => startPolicy);
    expect(await policies()).to.deep.equal(['BehindFence']);
    expect(await policies({ startPolicy: 'AfterUnfence' })).to.deep.equal(['AfterUnfence']);
  });

  it('is changed as kubectl patch changes it', async () => {
    const { metadata, spec } = await plannerManifest({
      name: 'other',
      spec: { migrations: { to: 'ffff', image: null }, workloads: [] },
    });
    expect(metadata.name).to.equal('other');
    expect(spec.migrations).to.deep.equal({ from: '976e6adbac6f', to: 'ffff' });
    expect(spec.workloads).to.deep.equal([]);
    expect(merge({ a: { b: 1 }, c: 2 }, { a: { d: 3 }, c: null })).to.deep.equal({ a: { b: 1, d: 3 } });
  });
});
