import { expect } from 'chai';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KubeClient, isAlreadyExists, isConflict, isForbidden, isGone, isInvalid } from './client.ts';
import { inClusterCredentials } from './credentials.ts';
import { errorFrom, eachOf, newNamespace, startHarness, until, Widget, widget, type Harness } from './harness.test.ts';
import { startRelay } from './relay.test.ts';
import { ConfigMap, Deployment, ServiceAccount } from './resource-types.ts';
import type { KubeObject, ResourceType } from './types.ts';

describe('KubeClient on a real API server', function () {
  this.timeout(120_000);
  let harness: Harness;
  let client: KubeClient;
  let namespace: string;

  before(async function () {
    this.timeout(0);
    harness = await startHarness();
    client = harness.client;
  });
  after(() => harness?.stop());
  beforeEach(async () => (namespace = await newNamespace(client)));

  const configMap = (name: string, data: Record<string, string> = {}): ConfigMap => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { namespace, name },
    data,
  });

  it('creates, reads, replaces, patches and deletes', async () => {
    const ref = { namespace, name: 'a' };
    expect(await client.get(ConfigMap, ref)).to.equal(undefined);
    const created = await client.create(ConfigMap, configMap('a', { x: '1' }));
    expect(created.metadata.creationTimestamp).to.match(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    await client.replace(ConfigMap, { ...created, data: { x: '2' } });
    await client.patch(ConfigMap, ref, { kind: 'Merge', body: { data: { y: '3' } } });
    await client.patch(ConfigMap, ref, { kind: 'Json', body: [{ op: 'remove', path: '/data/x' }] });
    expect((await client.get(ConfigMap, ref))?.data).to.deep.equal({ y: '3' });
    await client.delete(ConfigMap, ref);
    expect(await client.get(ConfigMap, ref)).to.equal(undefined);
    await client.delete(ConfigMap, ref);
  });

  it('lists with kind, apiVersion and string timestamps, as watched objects have them', async () => {
    await client.create(ConfigMap, configMap('a'));
    const { items, resourceVersion } = await client.list(ConfigMap, { namespace });
    expect(items.map(({ apiVersion, kind, metadata }) => [apiVersion, kind, metadata.name])).to.deep.equal([
      ['v1', 'ConfigMap', 'a'],
    ]);
    expect(items[0]?.metadata.creationTimestamp).to.be.a('string');
    expect(Number(resourceVersion)).to.be.greaterThan(0);
  });

  it('lists what the server remembers, which catches up with what is stored', async () => {
    await client.create(ConfigMap, configMap('a'));
    await client.create(ConfigMap, configMap('b'));
    const remembered = async () =>
      (await client.list(ConfigMap, { namespace }, { remembered: true })).items.map(({ metadata }) => metadata.name);
    await until(async () => (await remembered()).length === 2, 'both are remembered');
    expect(await remembered()).to.deep.equal(['a', 'b']);
  });

  it('selects by label, by field, and over all namespaces', async () => {
    const other = await newNamespace(client);
    const labelled = configMap('b');
    await client.create(ConfigMap, configMap('a'));
    await client.create(ConfigMap, { ...labelled, metadata: { ...labelled.metadata, labels: { app: 'x' } } });
    const inOther = configMap('c');
    await client.create(ConfigMap, { ...inOther, metadata: { name: 'c', namespace: other, labels: { app: 'x' } } });
    const names = async (selection: object): Promise<string[]> =>
      (await client.list(ConfigMap, selection)).items.map((item) => item.metadata.name);
    expect(await names({ namespace, labelSelector: 'app=x' })).to.deep.equal(['b']);
    expect(await names({ namespace, fieldSelector: 'metadata.name=a' })).to.deep.equal(['a']);
    expect(await names({ labelSelector: 'app=x' })).to.have.members(['b', 'c']);
  });

  it('refuses to address a namespaced object without a namespace, which the server would call not found', async () => {
    const refused = await client.get(ConfigMap, { name: 'a' }).catch((error: unknown) => error);
    expect(String(refused)).to.contain('no namespace was given');
  });

  it('tells conflicts, duplicates and invalid objects apart, in the words of the server', async () => {
    const created = await client.create(Widget, widget(namespace, 'a', { size: 1 }));
    await client.patch(Widget, created.metadata, { kind: 'Merge', body: { spec: { size: 2 } } });
    const failures = await Promise.all([
      errorFrom(client.replace(Widget, created)),
      errorFrom(client.create(Widget, widget(namespace, 'a'))),
      errorFrom(client.create(Widget, widget(namespace, 'b', { size: -1 }))),
    ]);
    expect(failures.map((each) => [isConflict(each), isAlreadyExists(each), isInvalid(each)])).to.deep.equal([
      [true, false, false],
      [false, true, false],
      [false, false, true],
    ]);
    expect(failures[2]?.message).to.contain('spec.size in body should be greater than or equal to 0');
  });

  it('keeps secrets that the server echoes out of its errors', async () => {
    const url = 'postgres://app:hunter2hunter2@db/planner';
    const refused = await errorFrom(
      client.create(ConfigMap, { ...configMap('a'), immutable: url as unknown as boolean }),
    );
    expect(refused.message).to.not.contain('hunter2');
    const named = await errorFrom(client.create(ConfigMap, configMap(url)));
    expect(named.message).to.contain('postgres://app:***@db/planner').and.not.contain('hunter2');
  });

  it('reports a conflict of server-side apply, and takes the field over with force', async () => {
    const apply = (fieldManager: string, colour: string, force?: boolean) =>
      client.patch(
        Widget,
        { namespace, name: 'a' },
        {
          kind: 'Apply',
          body: widget(namespace, 'a', { colour }),
          fieldManager,
          force,
        },
      );
    await apply('one', 'red');
    const conflict = await errorFrom(apply('two', 'blue'));
    expect(isConflict(conflict)).to.equal(true);
    expect(conflict.message).to.contain('conflict with "one"').and.contain('.spec.colour');
    expect((await apply('two', 'blue', true)).spec.colour).to.equal('blue');
  });

  it('writes status and spec separately', async () => {
    const { metadata } = await client.create(Widget, {
      ...widget(namespace, 'a', { size: 1 }),
      status: { state: 'no' },
    });
    const body = { status: { state: 'Ready' }, spec: { size: 9 } };
    await client.patch(Widget, metadata, { kind: 'Merge', body, subresource: 'status' });
    const read = await client.get(Widget, metadata);
    expect([read?.spec.size, read?.status?.state]).to.deep.equal([1, 'Ready']);
    expect(read?.metadata.generation).to.equal(1);
  });

  it('scales through the scale subresource', async () => {
    const metadata = { namespace, name: 'web', labels: { app: 'web' } };
    const template = { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'web', image: 'web:1' }] } };
    const spec = { replicas: 3, selector: { matchLabels: { app: 'web' } }, template };
    await client.create(Deployment, { apiVersion: 'apps/v1', kind: 'Deployment', metadata, spec });
    const before = await client.get(Deployment, metadata, { subresource: 'scale' });
    expect([before?.kind, before?.spec?.replicas]).to.deep.equal(['Scale', 3]);
    const body = { spec: { replicas: 0 } };
    const after = await client.patch(Deployment, metadata, { kind: 'Merge', body, subresource: 'scale' });
    expect(after.spec?.replicas).to.equal(0);
    expect((await client.get(Deployment, metadata, { subresource: 'scale' }))?.spec?.replicas).to.equal(0);
    expect((await client.get(Deployment, metadata))?.spec?.replicas).to.equal(0);
  });

  it('deletes only the object that was meant', async () => {
    const { metadata } = await client.create(ConfigMap, configMap('a'));
    const refused = await errorFrom(client.delete(ConfigMap, metadata, { preconditions: { uid: 'another' } }));
    expect(isConflict(refused)).to.equal(true);
    await client.delete(ConfigMap, metadata, { preconditions: { uid: metadata.uid } });
    expect(await client.get(ConfigMap, metadata)).to.equal(undefined);
  });

  it('passes on what the server warns of', async () => {
    const warnings: string[] = [];
    const warned = KubeClient.fromKubeconfig(harness.plane.kubeconfig, undefined, {
      onWarning: (text) => warnings.push(text),
    });
    await warned.create(Widget, widget(namespace, 'a', { taste: 'sweet' } as object));
    expect(warnings).to.deep.equal(['unknown field "spec.taste"']);
    warned.close();
  });

  it('says 404 for a kind that is not installed instead of "no such object" when listing', async () => {
    const missing: ResourceType<KubeObject> = {
      ...Widget,
      plural: 'gadgets',
      kind: 'Gadget',
    };
    expect((await errorFrom(client.list(missing))).code).to.equal(404);
  });

  describe('with more than one page', () => {
    const count = 1_203;
    beforeEach(() => eachOf([...Array(count).keys()], (i) => client.create(ConfigMap, configMap(`m-${i}`))));

    it('lists everything, page by page', async () => {
      const pages: number[] = [];
      await client.listPages(ConfigMap, { namespace }, (page) => pages.push(page.length));
      expect(pages).to.deep.equal([500, 500, 203]);
      expect(
        new Set((await client.list(ConfigMap, { namespace })).items.map((item) => item.metadata.name)).size,
      ).to.equal(count);
    });
  });

  describe('watching', () => {
    const watch = (resourceVersion: string, signal: AbortSignal, timeoutSeconds = 60) =>
      client.watch(ConfigMap, { namespace, resourceVersion, timeoutSeconds, allowBookmarks: true }, signal);

    it('yields every change as an object of its kind, and ends when the server ends it', async () => {
      const { resourceVersion } = await client.list(ConfigMap, { namespace });
      await client.create(ConfigMap, configMap('a', { text: 'größer ✓'.repeat(20_000) }));
      await client.patch(ConfigMap, { namespace, name: 'a' }, { kind: 'Merge', body: { data: { text: 'x' } } });
      await client.delete(ConfigMap, { namespace, name: 'a' });
      const seen: string[] = [];
      let longest = '';
      for await (const { type, object } of watch(resourceVersion, new AbortController().signal, 1)) {
        seen.push(`${type} ${object.kind} ${object.metadata.name ?? ''}`.trim());
        if ((object.data?.text ?? '').length > longest.length) longest = object.data?.text ?? '';
      }
      expect(seen.filter((each) => !each.startsWith('BOOKMARK'))).to.deep.equal([
        'ADDED ConfigMap a',
        'MODIFIED ConfigMap a',
        'DELETED ConfigMap a',
      ]);
      expect(longest).to.equal('größer ✓'.repeat(20_000));
    });

    it("throws the signal's reason when it is aborted, before and while it runs", async () => {
      const { resourceVersion } = await client.list(ConfigMap, { namespace });
      const reason = new Error('enough');
      expect(await errorFrom(watch(resourceVersion, AbortSignal.abort(reason)).next())).to.equal(reason);
      const controller = new AbortController();
      const next = errorFrom(watch(resourceVersion, controller.signal).next());
      setTimeout(() => controller.abort(reason), 100);
      expect(await next).to.equal(reason);
    });
  });

  describe("with a pod's own credentials", () => {
    let directory: string;
    before(() => (directory = mkdtempSync(join(tmpdir(), 'kube-client-'))));
    after(() => rmSync(directory, { recursive: true, force: true }));

    const tokenOf = async (name: string): Promise<string> => {
      await client.create(ServiceAccount, { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { namespace, name } });
      const TokenRequest = { ...ServiceAccount, plural: `serviceaccounts`, kind: 'TokenRequest' };
      const url = new URL(`/api/v1/namespaces/${namespace}/${TokenRequest.plural}/${name}/token`, harness.plane.url);
      const answer = execFileSync('curl', [
        ...['-sS', '--cacert', harness.plane.certificateAuthority, '-H', 'content-type: application/json'],
        ...['-H', `authorization: Bearer ${harness.plane.adminToken}`, '-d', '{"spec":{}}', url.href],
      ]);
      return (JSON.parse(answer.toString()) as { status: { token: string } }).status.token;
    };

    it('is known by its ServiceAccount, and uses a rotated token from the next request on', async () => {
      const { hostname, port } = new URL(harness.plane.url);
      const environment = { KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port };
      writeFileSync(join(directory, 'ca.crt'), readFileSync(harness.plane.certificateAuthority));
      writeFileSync(join(directory, 'namespace'), namespace);
      writeFileSync(join(directory, 'token'), `${await tokenOf('first')}\n`);
      const pod = new KubeClient(() => Promise.resolve(inClusterCredentials({ directory, environment })));
      expect(await pod.defaultNamespace()).to.equal(namespace);
      const forbidden = await errorFrom(pod.list(ConfigMap, { namespace }));
      expect(isForbidden(forbidden)).to.equal(true);
      expect(forbidden.message).to.contain(`system:serviceaccount:${namespace}:first`);
      writeFileSync(join(directory, 'token'), await tokenOf('second'));
      const again = await errorFrom(pod.list(ConfigMap, { namespace }));
      expect(again.message).to.contain(`system:serviceaccount:${namespace}:second`);
      pod.close();
    });
  });

  it('opens one connection for many requests in a row', async () => {
    const relay = await startRelay(harness.plane);
    const relayed = relay.client();
    for (let i = 0; i < 10; i++) await relayed.list(ConfigMap, { namespace });
    expect(relay.connections()).to.equal(1);
    relayed.close();
    await relay.close();
  });

  describe('when history is gone', () => {
    before(async () => {
      await harness.killApiServer();
      // With snapshots in the server's memory a list could go on although etcd has forgotten its state.
      await harness.startApiServer(['--feature-gates=ListFromCacheSnapshot=false']);
    });

    it('begins a list again that expires half-way', async () => {
      const count = 700;
      await eachOf([...Array(count).keys()], (i) => client.create(ConfigMap, configMap(`m-${i}`)));
      const names = new Set<string>();
      const pages: number[] = [];
      const resourceVersion = await client.listPages(ConfigMap, { namespace }, (page) => {
        for (const item of page) names.add(item.metadata.name);
        if (pages.push(page.length) > 1) return;
        harness.compact();
      });
      expect(pages).to.deep.equal([500, count]);
      expect([names.size, Number(resourceVersion) > 1]).to.deep.equal([count, true]);
    });

    it('throws 410 for a watch from a resource version that is too old', async () => {
      const signal = new AbortController().signal;
      const options = { namespace, resourceVersion: '1', timeoutSeconds: 60, allowBookmarks: true };
      expect(isGone(await errorFrom(client.watch(ConfigMap, options, signal).next()))).to.equal(true);
    });
  });
});
