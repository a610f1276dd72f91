import { expect } from 'chai';
import { phaseMigrationSpec } from '../../api/phase-migration.ts';
import type { FieldTree } from '../../api/field-tree.ts';
import planFields from '../../api/plan-fields.json' with { type: 'json' };
import type { PhaseMigration } from '../../api/resources.ts';
import { requestHash } from './request-hash.ts';

const MANIFEST = {
  database: { urlSecretRef: { name: 'db' } },
  migrations: { image: 'm:2', from: 'a', to: 'b' },
  workloads: [{ kind: 'Deployment' as const, name: 'backend', images: { backend: 'backend:2' } }],
  backup: { claimName: 'backups' },
  smokeTests: [{ name: 'alive', http: { service: 'backend', port: 80 } }],
};

function migrationOf(spec: object): PhaseMigration {
  const common = { apiVersion: 'phasemigration.io/v1alpha1', kind: 'PhaseMigration', metadata: { name: 'a' } };
  return { ...common, spec: phaseMigrationSpec.parse(spec) };
}

describe('requestHash', () => {
  const hash = requestHash(migrationOf(MANIFEST));

  it('is the same whether a default is written out or not', () => {
    const written = { ...MANIFEST, rollback: { strategy: 'Auto' }, outageDeadlineSeconds: 300, smokeTests: [] };
    const bare = { ...MANIFEST, smokeTests: undefined };
    const defaults = phaseMigrationSpec.parse(bare);
    expect(requestHash(migrationOf({ ...defaults, ...bare }))).to.equal(requestHash(migrationOf(bare)));
    expect(requestHash(migrationOf({ ...written, outageDeadlineSeconds: defaults.outageDeadlineSeconds }))).to.equal(
      requestHash(migrationOf(bare)),
    );
  });

  it('is the same after an upgrade of the definitions that adds fields with defaults, for both versions', () => {
    const { spec, ...rest } = migrationOf(MANIFEST);
    const smokeTests = spec.smokeTests.map((test) => ({ ...test, http: { ...test.http, method: 'GET' } }));
    const upgraded = { ...rest, spec: { ...spec, smokeTests, newcomer: { mode: 'Careful', more: {} } } };
    const newer = structuredClone<FieldTree>(planFields);
    const http = newer.properties?.smokeTests?.items?.properties?.http?.properties;
    if (!http || !newer.properties) throw new Error('the definitions have no smoke tests');
    http.method = { default: 'GET' };
    const within = { mode: { default: 'Careful' }, more: { default: {}, properties: {} } };
    newer.properties.newcomer = { default: {}, properties: within };
    expect(requestHash(upgraded, newer), 'the newer operator').to.equal(hash);
    expect(requestHash(upgraded), 'the older operator, which still leads').to.equal(hash);
    const asked = { ...upgraded, spec: { ...upgraded.spec, newcomer: { mode: 'Bold', more: {} } } };
    expect(requestHash(asked, newer), 'a new wish').not.to.equal(hash);
  });

  it('differs as soon as anything is asked for otherwise', () => {
    const others = [
      { ...MANIFEST, outageDeadlineSeconds: 77 },
      { ...MANIFEST, migrations: { ...MANIFEST.migrations, image: 'm:3' } },
      { ...MANIFEST, smokeTests: [] },
      { ...MANIFEST, smokeTests: [{ name: 'alive', http: { service: 'backend', port: 80, path: '/ready' } }] },
      { ...MANIFEST, state: 'RolledBack' },
    ].map((spec) => requestHash(migrationOf(spec)));
    expect(new Set([hash, ...others]).size).to.equal(others.length + 1);
  });
});
