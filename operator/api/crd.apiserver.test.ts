import { expect } from 'chai';
import { execFile } from 'node:child_process';
import { dump } from 'js-yaml';
import { startControlPlane, type ControlPlane } from '../../e2e/cluster/control-plane.ts';
import { ensurePrograms } from '../../e2e/cluster/offline/go-build.ts';
import { customResourceDefinition, customResources } from './crd.ts';
import { FROZEN_MESSAGE } from './phase-migration.ts';

type Manifest = Record<string, unknown>;

/** Changes by path, as `migrations.to`; undefined removes. */
type Changes = Record<string, unknown>;

function manifest(name: string, changes: Changes = {}): Manifest {
  const spec: Manifest = {
    database: { urlSecretRef: { name: 'planner-db' }, clientRoles: ['planner_app'] },
    migrations: { image: 'planner-migrations:2.0.0', from: '976e6adbac6f', to: '92023c163a26' },
    workloads: [{ kind: 'Deployment', name: 'planner-backend' }],
    backup: { claimName: 'planner-backups' },
  };
  for (const [path, value] of Object.entries(changes)) put(spec, path.split('.'), value);
  return {
    apiVersion: 'phasemigration.io/v1alpha1',
    kind: 'PhaseMigration',
    metadata: { name, namespace: 'default' },
    spec,
  };
}

function put(object: Manifest, [key = '', ...rest]: string[], value: unknown): void {
  if (rest.length > 0) put(object[key] as Manifest, rest, value);
  else if (value === undefined) delete object[key];
  else object[key] = value;
}

const check = { name: 'x', query: 'select 1' };
const backend = { kind: 'Deployment', name: 'planner-backend' };

/** What is wrong, how the manifest says it, and what the API server must answer. */
const WRONG: [string, Changes, RegExp][] = [
  ['an unknown field', { databse: {} }, /unknown field "spec\.databse"/],
  ['an empty list of workloads', { workloads: [] }, /spec\.workloads.*should have at least 1 items/],
  ['a revision with a path in it', { 'migrations.to': '../etc' }, /spec\.migrations\.to.*should match/],
  ['from = to', { 'migrations.to': '976e6adbac6f' }, /there is nothing to migrate/],
  ['an image and a ConfigMap', { 'migrations.configMapRef': { name: 'm' } }, /exactly one of image and configMapRef/],
  ['neither image nor ConfigMap', { 'migrations.image': undefined }, /exactly one of image and configMapRef/],
  [
    'a Secret of another namespace',
    { 'database.urlSecretRef.namespace': 'other' },
    /unknown field "spec\.database\.urlSecretRef\.namespace"/,
  ],
  [
    'a workload that cannot be scaled',
    { workloads: [{ kind: 'DaemonSet', name: 'x' }] },
    /spec\.workloads\[0\]\.kind.*supported values: "Deployment", "StatefulSet"/,
  ],
  [
    'the old image of a container that gets no new one',
    { workloads: [{ ...backend, images: { backend: 'b:2' }, previousImages: { other: 'o:1' } }] },
    /spec\.workloads\[0\]\.previousImages.*previousImages may name only containers that images names/,
  ],
  ['the same workload twice', { workloads: [backend, backend] }, /Duplicate value/],
  [
    'a check with two expectations',
    { verification: { checks: [{ ...check, expect: { value: '1', rows: 1 } }] } },
    /exactly one of value, rows, min and error/,
  ],
  [
    'a check with an empty expectation',
    { preflight: { checks: [{ ...check, expect: {} }] } },
    /exactly one of value, rows, min and error/,
  ],
  ['two checks of one name', { verification: { checks: [check, check] } }, /Duplicate value/],
  [
    'verification Jobs without client roles',
    { 'database.clientRoles': [], verification: { jobs: [{ name: 'j', image: 'i' }] } },
    /verification\.jobs need database\.clientRoles/,
  ],
  [
    'a start behind the fence without client roles',
    { 'database.clientRoles': [], workloads: [{ ...backend, startPolicy: 'BehindFence' }] },
    /startPolicy BehindFence needs database\.clientRoles/,
  ],
  [
    'a start policy that does not exist',
    { workloads: [{ ...backend, startPolicy: 'Standby' }] },
    /startPolicy.*supported values: "AfterUnfence", "BehindFence"/,
  ],
  [
    'a decision for the backup that does not name it',
    { resolution: { runName: 'a-1', runUID: 'u', number: 1, action: 'RestoreBackup' } },
    /action RestoreBackup needs archive/,
  ],
  [
    'a decision that nobody can carry out',
    { resolution: { runName: 'a-1', runUID: 'u', number: 1, action: 'Shrug' } },
    /spec\.resolution\.action.*supported values: "Retry", "RollBack", "Accept", "RestoreBackup"/,
  ],
  [
    'a strategy without its restore point',
    { rollback: { strategy: 'RestorePoint', restorePoint: 'None' } },
    /contradicts rollback\.restorePoint None/,
  ],
  [
    'an outage deadline of nothing',
    { outageDeadlineSeconds: 0 },
    /spec\.outageDeadlineSeconds.*greater than or equal to 5/,
  ],
  [
    'a fraction of a disk factor',
    { preflight: { freeDiskFactor: 1.5 } },
    /spec\.preflight\.freeDiskFactor.*must be of type integer/,
  ],
  [
    'a key for an encryption that has none',
    { backup: { claimName: 'b', s3: { bucket: 'backups', serverSideEncryption: 'AES256', kmsKeyId: 'k' } } },
    /kmsKeyId needs serverSideEncryption aws:kms/,
  ],
  [
    'a password in the URL of a bucket’s server',
    { backup: { claimName: 'b', s3: { bucket: 'backups', endpoint: 'https://me:secret@s3.example' } } },
    /spec\.backup\.s3\.endpoint.*should match/,
  ],
  [
    'a retention that keeps nothing',
    { backup: { claimName: 'b', retention: { maxAgeDays: 30, keepLast: 0 } } },
    /spec\.backup\.retention\.keepLast.*greater than or equal to 1/,
  ],
  ['no backup', { backup: undefined }, /spec\.backup.*Required value/],
  [
    'a smoke test that leads elsewhere',
    { smokeTests: [{ name: 's', http: { service: 'evil.example/..', port: 80 } }] },
    /spec\.smokeTests\[0\]\.http\.service/,
  ],
];

interface Stored {
  spec: Manifest;
  status: Manifest;
}

describe('The CustomResourceDefinitions on a real API server', function () {
  this.timeout(120_000);
  let controlPlane: ControlPlane;
  let kubectl: (args: string[], input?: unknown) => Promise<{ code: number; text: string }>;

  before(async function () {
    this.timeout(0);
    const programs = await ensurePrograms(['kubectl']);
    controlPlane = await startControlPlane({ controllerManager: false });
    kubectl = (args, input) =>
      new Promise((resolve) => {
        const child = execFile(
          programs.kubectl,
          ['--kubeconfig', controlPlane.kubeconfig, ...args],
          (error, stdout, stderr) => resolve({ code: error ? 1 : 0, text: stdout + stderr }),
        );
        child.stdin?.end(input === undefined ? '' : dump(input));
      });
    for (const resource of customResources) {
      const { code, text } = await kubectl(['apply', '-f', '-'], customResourceDefinition(resource));
      expect(code, text).to.equal(0);
      await kubectl(['wait', '--for=condition=Established', `crd/${resource.plural}.phasemigration.io`]);
    }
  });
  after(() => controlPlane?.stop());

  const apply = (object: Manifest) => kubectl(['apply', '-f', '-'], object);
  const patchStatus = (name: string, status: unknown) =>
    kubectl(['patch', 'pm', name, '--subresource=status', '--type=merge', '-p', JSON.stringify({ status })]);

  it('takes a small manifest and fills in every default', async () => {
    const { code, text } = await apply(manifest('small'));
    expect(code, text).to.equal(0);
    const stored = JSON.parse((await kubectl(['get', 'pm', 'small', '-o', 'json'])).text) as Stored;
    expect(stored.spec).to.deep.include({
      state: 'Migrated',
      suspend: false,
      smokeTests: [],
      outageDeadlineSeconds: 600,
    });
    expect(stored.spec.rollback).to.deep.equal({ strategy: 'Auto', restorePoint: 'Auto' });
    expect(stored.spec.preflight).to.deep.equal({ minPostgresVersion: 11, freeDiskFactor: 2, checks: [] });
    expect(stored.status).to.deep.equal({ observedGeneration: -1 });
  });

  for (const [what, changes, answer] of WRONG) {
    it(`refuses ${what}`, async () => {
      const { code, text } = await apply(manifest('wrong', changes));
      expect(code, text).to.equal(1);
      expect(text).to.match(answer);
    });
  }

  it('refuses a name that Jobs could not be named after', async () => {
    expect((await apply(manifest('n'.repeat(41)))).text).to.contain('at most 40 characters');
  });

  it('freezes the plan once a run has begun, but neither state nor suspend', async () => {
    await apply(manifest('frozen'));
    await patchStatus('frozen', { phase: 'Preparing' });
    const changed = await apply(manifest('frozen', { 'migrations.to': 'ffffffffffff' }));
    expect(changed.text).to.contain(FROZEN_MESSAGE);
    const suspended = await apply(manifest('frozen', { suspend: true }));
    expect(suspended.code, suspended.text).to.equal(0);
    await patchStatus('frozen', { phase: 'Failed' });
    const after = await apply(manifest('frozen', { 'migrations.to': 'ffffffffffff' }));
    expect(after.code, after.text).to.equal(0);
  });

  it('knows the short names, the columns and the selectable fields', async () => {
    await apply(manifest('shown'));
    await patchStatus('shown', {
      phase: 'Succeeded',
      currentStep: 'SmokeTest',
      revision: '92023c163a26',
      outage: { milliseconds: 1234 },
    });
    const table = (await kubectl(['get', 'pm', '--field-selector', 'status.phase=Succeeded'])).text;
    expect(table).to.match(/NAME +FROM +TO +PHASE +STEP +REVISION +OUTAGE MS +AGE/);
    expect(table).to.match(/shown +976e6adbac6f +92023c163a26 +Succeeded +SmokeTest +92023c163a26 +1234/);
  });

  it('lets a run’s goal only move on and its plan never change', async () => {
    const { spec } = manifest('x') as { spec: Manifest };
    const run = {
      apiVersion: 'phasemigration.io/v1alpha1',
      kind: 'PhaseMigrationRun',
      metadata: { name: 'run', namespace: 'default' },
      spec: {
        phaseMigrationRef: { name: 'x', uid: 'u' },
        attempt: 1,
        direction: 'Up',
        requestHash: 'h',
        plan: spec,
        startRevision: '976e6adbac6f',
        targetRevision: '92023c163a26',
        goal: 'Prepared',
        runnerEpoch: 1,
      },
    };
    expect((await apply(run)).code).to.equal(0);
    const patch = (change: Manifest) =>
      kubectl(['patch', 'pmr', 'run', '--type=merge', '-p', JSON.stringify({ spec: change })]);
    expect((await patch({ goal: 'Migrated' })).code).to.equal(0);
    expect((await patch({ goal: 'Prepared' })).text).to.contain('goal only moves on');
    expect((await patch({ targetRevision: 'f' })).text).to.contain('targetRevision is immutable');
    expect((await patch({ runnerEpoch: 2 })).code).to.equal(0);
    expect((await patch({ runnerEpoch: 1 })).text).to.contain('runnerEpoch only grows');
    expect((await patch({ goal: 'RolledBack' })).code).to.equal(0);
    expect((await patch({ goal: 'Migrated' })).text).to.contain('goal only moves on');
  });
});
