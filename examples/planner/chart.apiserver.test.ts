import { rm, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { execa } from 'execa';
import { load, loadAll } from 'js-yaml';
import { ensureControlPlaneBinaries, startControlPlane, type ControlPlane } from '../../e2e/cluster/control-plane.ts';
import { ensurePrograms } from '../../e2e/cluster/offline/go-build.ts';
import { field, type Json } from './api-client.ts';

const chart = fileURLToPath(new URL('../../charts/planner', import.meta.url));
const environments = ['dev', 'staging', 'production'];

describe('the chart of the planner', function () {
  this.timeout(0);
  let programs: { helm: string; kubectl: string };
  let home: string;
  let controlPlane: ControlPlane;

  before(async () => {
    programs = await ensurePrograms(['helm', 'kubectl']);
    await ensureControlPlaneBinaries();
    controlPlane = await startControlPlane({ controllerManager: true });
    home = await mkdtemp(join(tmpdir(), 'planner-chart-'));
  });
  after(async () => {
    await controlPlane.stop();
    await rm(home, { recursive: true, force: true });
  });

  async function helm(...args: string[]): Promise<string> {
    const env = { HELM_CACHE_HOME: home, HELM_CONFIG_HOME: home, HELM_DATA_HOME: home };
    const { stdout } = await execa(programs.helm, args, { env: { ...env, KUBECONFIG: controlPlane.kubeconfig } });
    return stdout;
  }

  async function kubectl(...args: string[]): Promise<string> {
    return (await execa(programs.kubectl, ['--kubeconfig', controlPlane.kubeconfig, ...args])).stdout;
  }

  async function get(namespace: string, kind: string, name?: string): Promise<Json> {
    return JSON.parse(await kubectl('-n', namespace, 'get', kind, ...(name ? [name] : []), '-o', 'json')) as Json;
  }

  const render = async (...args: string[]) =>
    (loadAll(await helm('template', 'planner', chart, ...args)) as Json[]).filter((object) => object !== null);

  const named = (objects: Json[], kind: string, name: string) =>
    objects.find((object) => field(object, 'kind') === kind && field(object, 'metadata.name') === name);

  /** A namespace that refuses every pod that is not restricted. */
  async function namespace(name: string): Promise<void> {
    await kubectl('create', 'namespace', name);
    await kubectl('label', 'namespace', name, 'pod-security.kubernetes.io/enforce=restricted');
  }

  async function refusal(...args: string[]): Promise<string> {
    const outcome: unknown = await helm('template', 'planner', chart, ...args).catch((error: unknown) => error);
    if (!(outcome instanceof Error)) throw new Error('Helm refused nothing.');
    return outcome.message;
  }

  for (const environment of environments)
    it(`passes helm lint with values-${environment}.yaml`, async () => {
      expect(await helm('lint', '--strict', chart, '-f', join(chart, `values-${environment}.yaml`))).to.include(
        '0 chart(s) failed',
      );
    });

  it('makes what a PhaseMigration names, as the API server accepts it, with restricted pods', async () => {
    await namespace('one');
    await helm('install', 'planner', chart, '-n', 'one', '--set', 'backups.enabled=true');
    const backend = await get('one', 'deployment', 'planner-backend');
    expect(field(backend, 'spec.replicas')).to.equal(3);
    expect(field(backend, 'spec.template.spec.containers.0')).to.include({
      name: 'backend',
      image: 'planner-backend:1.0.0',
      imagePullPolicy: 'IfNotPresent',
    });
    expect(field(await get('one', 'secret', 'planner-db'), 'data.DATABASE_URL')).to.be.a('string');
    expect(field(await get('one', 'service', 'planner-backend'), 'spec.ports.0.port')).to.equal(80);
    await get('one', 'pvc', 'planner-backups');
    const created = async (selector: string) =>
      field(
        JSON.parse(await kubectl('-n', 'one', 'get', 'pods', '-l', selector, '-o', 'json')) as Json,
        'items.length',
      );
    while ((await created('app.kubernetes.io/name=planner-backend')) !== 3);
    while ((await created('app.kubernetes.io/name=planner-postgres')) !== 1);
  });

  it('keeps generated passwords over upgrades, and over removal together with the volume', async () => {
    const secrets = async () =>
      Promise.all(
        ['planner-postgres', 'planner-db', 'planner-app'].map(async (name) =>
          field(await get('two', 'secret', name), 'data'),
        ),
      );
    await namespace('two');
    await helm('install', 'planner', chart, '-n', 'two');
    const first = await secrets();
    const [postgres, database, application] = first.map((data) =>
      Object.fromEntries(
        Object.entries(data as Record<string, string>).map(([key, value]) => [
          key,
          Buffer.from(value, 'base64').toString(),
        ]),
      ),
    );
    expect(database).to.deep.equal({
      DATABASE_URL: `postgresql://planner_owner:${postgres!['OWNER_PASSWORD']}@planner-postgres:5432/planner`,
    });
    expect(application!['DATABASE_URL']).to.equal(
      `postgresql://planner_app:${postgres!['APP_PASSWORD']}@planner-postgres:5432/planner`,
    );
    for (const generated of [...Object.values(postgres!), application!['API_TOKEN']])
      expect(generated).to.match(/^\w{32}$/);

    await helm('upgrade', 'planner', chart, '-n', 'two', '--set', 'backend.image.tag=2.0.0');
    expect(await secrets()).to.deep.equal(first);
    await helm('uninstall', 'planner', '-n', 'two', '--wait');
    expect(field(await get('two', 'secret', 'planner-postgres'), 'data')).to.deep.equal(first[0]);
    await helm('install', 'planner', chart, '-n', 'two');
    expect((await secrets()).slice(0, 2)).to.deep.equal(first.slice(0, 2));
  });

  it('takes secrets that exist, and makes none beside them', async () => {
    const objects = await render('-f', join(chart, 'values-production.yaml'));
    expect(objects.filter((object) => field(object, 'kind') === 'Secret')).to.deep.equal([]);
    const outside = await render(
      ...['--set', 'postgres.enabled=false', '--set', 'existingSecrets.database=db,existingSecrets.backend=app'],
    );
    expect(outside.map((object) => field(object, 'kind'))).to.have.members(['Service', 'Deployment']);
    const env = field(named(outside, 'Deployment', 'planner-backend'), 'spec.template.spec.containers.0.env');
    expect(JSON.stringify(env)).to.include('"name":"app"');
  });

  it('leaves the number of replicas to an autoscaler, and pins images by digest, where asked', async () => {
    const digest = `sha256:${'a'.repeat(64)}`;
    const objects = await render('--set', `backend.replicas=null,backend.image.digest=${digest}`);
    const backend = named(objects, 'Deployment', 'planner-backend');
    expect(field(backend, 'spec')).not.to.have.property('replicas');
    expect(field(backend, 'spec.template.spec.containers.0.image')).to.equal(`planner-backend@${digest}`);
  });

  it('never lets a version that is not ready replace one that is', async () => {
    const backend = named(await render(), 'Deployment', 'planner-backend');
    expect(field(backend, 'spec.strategy.rollingUpdate.maxUnavailable')).to.equal(0);
  });

  const refused: [string, RegExp, ...string[]][] = [
    ['a value that does not exist', /additional properties 'replica'/, 'backend.replica=2'],
    ['a password that would have to be escaped', /appPassword/, 'secrets.appPassword=a/b'],
    ['a negative number of replicas', /replicas/, 'backend.replicas=-1'],
    ['a database elsewhere without its Secret', /existingSecrets.database must name/, 'postgres.enabled=false'],
    ['passwords of others for a new database', /existingSecrets.postgres/, 'existingSecrets.backend=app'],
  ];
  for (const [what, message, set] of refused)
    it(`refuses ${what}`, async () => {
      expect(await refusal('--set', set!)).to.match(message);
    });

  it('has values only for environments that fit its defaults', async () => {
    const defaults = load(await helm('show', 'values', chart)) as Json;
    for (const environment of environments) {
      const objects = await render('-f', join(chart, `values-${environment}.yaml`));
      const image = field(named(objects, 'Deployment', 'planner-backend'), 'spec.template.spec.containers.0.image');
      expect(image).to.equal(`planner-backend:${field(defaults, 'backend.image.tag') as string}`);
    }
  });
});
