import { expect } from 'chai';
import { EventRecorder, cutToBytes, type EventInput, type EventRecorderOptions } from './events.ts';
import { newNamespace, startHarness, until, Widget, widget, type Harness } from './harness.test.ts';
import { createLogger, silentLogger } from './logger.ts';
import { startRelay } from './relay.test.ts';
import { Event } from './resource-types.ts';
import { PassThrough } from 'node:stream';

describe('EventRecorder on a real API server', function () {
  this.timeout(60_000);
  let harness: Harness;
  let namespace: string;
  let regarding: Widget;

  before(async function () {
    this.timeout(0);
    harness = await startHarness();
  });
  after(() => harness?.stop());
  beforeEach(async () => {
    namespace = await newNamespace(harness.client);
    regarding = await harness.client.create(Widget, widget(namespace, 'a'));
  });

  const recorder = (options: Partial<EventRecorderOptions> = {}): EventRecorder =>
    new EventRecorder({ client: harness.client, reportingInstance: 'operator-0', logger: silentLogger, ...options });
  const input = (note = 'Scaled down from 3.'): EventInput => ({
    regarding,
    type: 'Normal',
    reason: 'ScaledDown',
    action: 'ScaleDown',
    note,
  });
  const events = async (): Promise<Event[]> => (await harness.client.list(Event, { namespace })).items;

  it('writes an event about the object, as a complete events.k8s.io/v1 one', async () => {
    const events$ = recorder();
    events$.record(input());
    await events$.flush();
    const [event, ...more] = await events();
    expect(more).to.deep.equal([]);
    const { kind, name, uid, namespace: where } = event?.regarding ?? {};
    expect([kind, name, uid, where]).to.deep.equal(['Widget', 'a', regarding.metadata.uid, namespace]);
    expect([event?.type, event?.reason, event?.action, event?.note]).to.deep.equal([
      'Normal',
      'ScaledDown',
      'ScaleDown',
      'Scaled down from 3.',
    ]);
    expect([event?.reportingController, event?.reportingInstance]).to.deep.equal([
      'phasemigration.io/operator',
      'operator-0',
    ]);
    expect(event?.series).to.equal(undefined);
  });

  it('makes one event with a series of what repeats', async () => {
    const events$ = recorder();
    for (let i = 0; i < 25; i++) {
      events$.record(input());
      if (i === 0) await until(async () => (await events()).length === 1, 'the first is written');
    }
    events$.record(input('Scaled down from 5.'));
    await events$.flush();
    const counts = (await events()).map((event) => [event.note, event.series?.count]);
    expect(counts).to.have.deep.members([
      ['Scaled down from 3.', 25],
      ['Scaled down from 5.', undefined],
    ]);
  });

  it('writes an event once that is recorded between two rounds, just before the flush', async () => {
    const events$ = recorder();
    events$.record(input());
    await events$.flush();
    events$.record(input());
    events$.record(input('Scaled down from 5.'));
    await events$.flush();
    const notes = (await events()).map((event) => event.note);
    expect(notes).to.have.members(['Scaled down from 3.', 'Scaled down from 5.']);
  });

  it('brings a growing series up to date by itself, but not with every repetition', async () => {
    const requests: string[] = [];
    const relay = await startRelay(harness.plane);
    const client = relay.client({ onRequest: ({ method }) => void requests.push(method) });
    const events$ = recorder({ client, rewriteMilliseconds: 400 });
    for (let i = 0; i < 50; i++) {
      events$.record(input());
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await until(async () => (await events())[0]?.series?.count === 50, 'the series is complete');
    expect(requests.filter((method) => method === 'PATCH').length).to.be.within(2, 5);
    await relay.close();
  });

  it('begins a new event when the last occurrence is long ago', async () => {
    const events$ = recorder({ seriesMilliseconds: 100 });
    events$.record(input());
    await events$.flush();
    await new Promise((resolve) => setTimeout(resolve, 150));
    events$.record(input());
    await events$.flush();
    expect((await events()).length).to.equal(2);
  });

  it('begins a new event when the server has forgotten the first', async () => {
    const events$ = recorder();
    events$.record(input());
    await events$.flush();
    await harness.client.delete(Event, (await events())[0]?.metadata ?? { name: '' });
    events$.record(input());
    await events$.flush();
    expect((await events()).map((event) => event.series?.count)).to.deep.equal([undefined]);
  });

  it('hides secrets and keeps to a kilobyte', async () => {
    const events$ = recorder();
    events$.record(input(`postgres://app:hunter2hunter2@db/planner ${'ä'.repeat(2_000)}`));
    await events$.flush();
    const note = (await events())[0]?.note ?? '';
    expect(note).to.contain('postgres://app:***@db/planner').and.match(/ä…$/);
    expect(Buffer.byteLength(note)).to.be.within(1_000, 1_024);
  });

  it('waits for an API server that does not answer, and loses nothing', async () => {
    const relay = await startRelay(harness.plane);
    const events$ = recorder({ client: relay.client({ timeoutMilliseconds: 300 }) });
    relay.freeze();
    events$.record(input());
    await new Promise((resolve) => setTimeout(resolve, 500));
    relay.cut();
    relay.thaw();
    await until(async () => (await events()).length > 0, 'the event is written');
    await relay.close();
  });

  it('never throws: what the server refuses is logged, and the next event is written', async () => {
    const lines = new PassThrough();
    const events$ = recorder({ logger: createLogger({ stream: lines, format: 'json', level: 'info' }) });
    events$.record({ ...input(), type: 'Unheard' as 'Normal' });
    events$.record(input());
    await events$.flush();
    expect((await events()).map((event) => event.reason)).to.deep.equal(['ScaledDown']);
    expect(String(lines.read())).to.contain('An event was not recorded').and.contain('Unheard');
  });

  it('gives up at shutdown when the API server is gone', async () => {
    const relay = await startRelay(harness.plane);
    const events$ = recorder({ client: relay.client({ timeoutMilliseconds: 200 }) });
    relay.freeze();
    events$.record(input());
    const began = performance.now();
    await events$.flush(600);
    expect(performance.now() - began).to.be.lessThan(1_500);
    await relay.close();
  });

  it('cuts between characters', () => {
    expect(cutToBytes('abc', 3)).to.equal('abc');
    expect(cutToBytes('abcdef', 5)).to.equal('ab…');
    expect(cutToBytes('aäääää', 7)).to.equal('aä…');
    expect(cutToBytes('a😀😀', 8)).to.equal('a😀…');
  });
});
