import { expect } from 'chai';
import type { KubeClient } from './client.ts';
import { eachOf, newNamespace, startHarness, until, Widget, widget, type Harness } from './harness.test.ts';
import { silentLogger } from './logger.ts';
import { isDeleted, startReflector, type Change, type Reflector, type ReflectorOptions } from './reflector.ts';
import { startRelay, type Relay } from './relay.test.ts';
import type { ClientOptions } from './client.ts';
import { metadataOf, type KubeObject } from './types.ts';

describe('reflector on a real API server', function () {
  this.timeout(120_000);
  let harness: Harness;
  let client: KubeClient;
  let namespace: string;
  let relay: Relay;
  const started: Reflector[] = [];

  before(async function () {
    this.timeout(0);
    harness = await startHarness();
    client = harness.client;
  });
  after(() => harness?.stop());
  beforeEach(async () => {
    namespace = await newNamespace(client);
    relay = await startRelay(harness.plane);
  });
  afterEach(async () => {
    await Promise.all(started.splice(0).map((reflector) => reflector.stop()));
    await relay.close();
  });

  /** A reflector whose handler keeps what it was told: the size of each widget, as the world looks to it. */
  function observe(options: Partial<ReflectorOptions<Widget>> = {}, clientOptions: ClientOptions = {}) {
    const requests: string[] = [];
    const world = new Map<string, number | undefined>();
    const changes: Change<Widget>[] = [];
    const onChange = (change: Change<Widget>): void => {
      changes.push(change);
      if (isDeleted(change)) world.delete(change.deleted.name);
      else world.set(change.metadata.name, change.spec.size);
    };
    let synced = 0;
    const onSynced = (): void => void synced++;
    const onRequest: ClientOptions['onRequest'] = ({ method, code }) => requests.push(`${method} ${code}`);
    const watching = relay.client({ ...clientOptions, onRequest });
    const common = { client: watching, type: Widget, namespace, logger: silentLogger, onChange, onSynced };
    const reflector = startReflector<Widget>({ ...common, ...options });
    started.push(reflector);
    return { reflector, world, changes, requests, synced: () => synced };
  }

  const create = (name: string, size = 0) => client.create(Widget, widget(namespace, name, { size }));
  const resize = (name: string, size: number) =>
    client.patch(Widget, { namespace, name }, { kind: 'Merge', body: { spec: { size } } });
  const remove = (name: string) => client.delete(Widget, { namespace, name });
  const lists = (requests: string[]): number => requests.filter((request) => request.startsWith('GET')).length;

  it('begins with nothing where there is nothing, metadata only', async () => {
    const none = () => undefined;
    const reflector = startReflector({
      client,
      type: metadataOf(Widget),
      namespace,
      logger: silentLogger,
      onChange: none,
    });
    started.push(reflector);
    await until(() => reflector.hasSynced(), 'it has synced');
  });

  it('leaves all but the metadata out where nothing else is asked for, in lists and in watches', async () => {
    await create('a', 1);
    const changes: Change<KubeObject>[] = [];
    const onChange = (change: Change<KubeObject>): void => void changes.push(change);
    const common = { client, type: metadataOf(Widget), namespace, logger: silentLogger, onChange };
    started.push(startReflector(common));
    await until(() => changes.length === 1, 'it was listed');
    await resize('a', 3);
    await until(() => changes.length === 2, 'its change came');
    for (const change of changes) {
      expect(isDeleted(change) ? {} : change).to.have.nested.property('metadata.name', 'a');
      expect(change).not.to.have.property('spec');
    }
    await remove('a');
    await until(() => changes.length === 3, 'its end came');
    expect(changes[2]).to.have.deep.property('deleted', { namespace, name: 'a' });
  });

  it('hands over what exists, then says that it is synced, then hands over every change', async () => {
    await create('a', 1);
    const { reflector, world, changes, synced } = observe();
    expect(reflector.hasSynced()).to.equal(false);
    await until(() => synced() === 1, 'it is synced');
    expect([...world]).to.deep.equal([['a', 1]]);
    await create('b', 2);
    await resize('a', 3);
    await remove('b');
    await until(() => changes.length === 4, 'all changes came');
    expect([...world]).to.deep.equal([['a', 3]]);
    const last = changes.at(-1);
    expect(last && isDeleted(last) && last.lastState?.spec.size).to.equal(2);
    expect([reflector.hasSynced(), synced()]).to.deep.equal([true, 1]);
  });

  it('notices after a gap what was changed, made and deleted, and repeats nothing', async () => {
    await eachOf(['same', 'changed', 'gone'], (name) => create(name, 1));
    const { world, changes, synced } = observe();
    await until(() => synced() === 1, 'it is synced');
    await harness.killApiServer();
    // Nothing can be changed while there is no API server: the reflector is cut off a little longer than that.
    relay.freeze();
    await harness.startApiServer();
    await eachOf(['changed', 'made'], (name) => (name === 'made' ? create(name, 2) : resize(name, 2)));
    await remove('gone');
    changes.length = 0;
    relay.cut();
    relay.thaw();
    await until(() => world.size === 3 && world.get('changed') === 2, 'it has caught up');
    expect([...world].sort()).to.deep.equal([
      ['changed', 2],
      ['made', 2],
      ['same', 1],
    ]);
    const deletion = changes.filter(isDeleted).map((change) => change.deleted);
    expect(deletion).to.deep.equal([{ namespace, name: 'gone' }]);
    expect(changes.length).to.equal(3);
    await resize('same', 5);
    await until(() => world.get('same') === 5, 'it goes on watching');
  });

  it('lists again when its resource version has expired, and notices what is gone', async () => {
    await eachOf(['a', 'gone'], (name) => create(name, 1));
    const { world, changes, requests, synced } = observe({}, { timeoutMilliseconds: 2_000 });
    await until(() => synced() === 1 && requests.includes('WATCH 200'), 'it watches');
    relay.freeze();
    await resize('a', 2);
    await remove('gone');
    // The restarted server knows only states after its start; etcd has forgotten the others.
    await harness.killApiServer();
    harness.compact();
    await harness.startApiServer();
    relay.cut();
    relay.thaw();
    await until(() => world.get('a') === 2 && world.size === 1, 'it has caught up');
    expect(lists(requests)).to.equal(2);
    expect(changes.filter(isDeleted)).to.deep.equal([{ deleted: { namespace, name: 'gone' }, lastState: undefined }]);
    await resize('a', 3);
    await until(() => world.get('a') === 3, 'it goes on watching');
  });

  it('gives a connection up on which not even a bookmark comes', async () => {
    const { world, synced } = observe({ timing: { idleMilliseconds: 1_000 } }, { timeoutMilliseconds: 1_000 });
    await until(() => synced() === 1, 'it is synced');
    relay.freeze();
    const before = relay.connections();
    await create('a', 1);
    await until(() => relay.connections() > before, 'it opens another connection');
    relay.thaw();
    await until(() => world.get('a') === 1, 'it has caught up');
  });

  it('does not storm a server that refuses or ends every watch at once', async () => {
    const { requests, synced } = observe({ timing: { backoff: { baseMilliseconds: 100, capMilliseconds: 400 } } });
    await until(() => synced() === 1, 'it is synced');
    const began = performance.now();
    const cutter = setInterval(() => relay.cut(), 5);
    await until(() => performance.now() - began > 3_000, 'three seconds are over');
    clearInterval(cutter);
    // Delays between half of 100, 200, 400, 400 … and all of it: 3 s are at most 2 + 2 + 3000 / 200.
    expect(requests.length).to.be.within(5, 20);
  });

  it('survives a handler that throws, and hands the object over again with the next list', async () => {
    await create('a', 1);
    await create('b', 2);
    let failing = true;
    const handed: string[] = [];
    const onChange = (change: Change<Widget>): void => {
      if (isDeleted(change)) return;
      if (failing && change.metadata.name === 'a') throw new Error('a broken handler');
      handed.push(change.metadata.name);
    };
    observe({ onChange, timing: { relistMilliseconds: 300 } });
    await until(() => handed.includes('b'), 'the other object came');
    failing = false;
    await until(() => handed.includes('a'), 'the object came again');
    expect(handed).to.deep.equal(['b', 'a']);
  });

  it('lists again from time to time without handing over what has not changed', async () => {
    await create('a', 1);
    const { changes, requests } = observe({ timing: { relistMilliseconds: 200 } });
    await create('b', 1);
    await until(() => changes.length === 2, 'the other object came');
    await remove('b');
    await until(() => changes.length === 3, 'it is gone');
    const before = lists(requests);
    await until(() => lists(requests) >= before + 3, 'it has listed three times more');
    expect(changes.length).to.equal(3);
  });

  it('goes on watching where the server ended the watch, without listing', async () => {
    const { world, requests, synced } = observe({ timing: { watchMilliseconds: 500 } });
    await until(() => requests.filter((request) => request === 'WATCH 200').length >= 3, 'three watches were opened');
    await create('a', 1);
    await until(() => world.has('a'), 'the change came');
    expect([lists(requests), synced()]).to.deep.equal([1, 1]);
  });

  it('waits for a kind that is not installed yet', async () => {
    const missing = { ...Widget, plural: 'gadgets' };
    const { reflector, requests } = observe({ type: missing });
    await until(() => requests.filter((request) => request === 'GET 404').length >= 2, 'it has asked twice');
    expect(reflector.hasSynced()).to.equal(false);
  });

  it('hands over nothing after stop() has resolved, and stop() does not take long', async () => {
    const { reflector, changes, synced } = observe();
    await until(() => synced() === 1, 'it is synced');
    const began = performance.now();
    await reflector.stop();
    expect(performance.now() - began).to.be.lessThan(500);
    await create('a', 1);
    const { world } = observe();
    await until(() => world.has('a'), 'another reflector has seen it');
    expect(changes).to.deep.equal([]);
  });

  it('stops with its signal', async () => {
    const controller = new AbortController();
    const { reflector, synced } = observe({ signal: controller.signal });
    await until(() => synced() === 1, 'it is synced');
    controller.abort();
    await reflector.stop();
  });
});
