import { expect } from 'chai';
import { type ClientOptions } from './client.ts';
import { newNamespace, startHarness, until, type Harness } from './harness.test.ts';
import { startLeaderElection, type ElectionTiming, type LeaderElection } from './leader-election.ts';
import { silentLogger } from './logger.ts';
import { startRelay, type Relay } from './relay.test.ts';
import { Lease } from './resource-types.ts';

/** A tenth of the usual times, whole seconds where the Lease's own fields have only those. */
const timing: ElectionTiming = { leaseMilliseconds: 3_000, renewMilliseconds: 2_000, retryMilliseconds: 300 };

describe('leader election on a real API server', function () {
  this.timeout(60_000);
  let harness: Harness;
  let namespace: string;
  let relay: Relay;
  const started: LeaderElection[] = [];
  const name = 'the-operator';

  before(async function () {
    this.timeout(0);
    harness = await startHarness();
  });
  after(() => harness?.stop());
  beforeEach(async () => {
    namespace = await newNamespace(harness.client);
    relay = await startRelay(harness.plane);
  });
  afterEach(async () => {
    relay.thaw();
    await Promise.all(started.splice(0).map((election) => election.stop()));
    await relay.close();
  });

  interface Candidate {
    election: LeaderElection;
    history: string[];
  }

  const events: string[] = [];
  beforeEach(() => void (events.length = 0));

  function candidate(identity: string, client = harness.client): Candidate {
    const history: string[] = [];
    const note = (what: string): void => void (history.push(what), events.push(`${identity} ${what}`));
    const election = startLeaderElection({
      client,
      namespace,
      name,
      identity,
      timing,
      logger: silentLogger,
      onLeading: () => note('leads'),
      onLost: (reason) => note(`lost: ${reason}`),
      onNewLeader: (leader) => history.push(`sees ${leader}`),
    });
    started.push(election);
    return { election, history };
  }

  const lease = async (): Promise<Lease['spec']> => (await harness.client.get(Lease, { namespace, name }))?.spec;
  const holds = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

  it('elects exactly one, who renews for as long as it lives', async () => {
    const candidates = ['a', 'b', 'c'].map((identity) => candidate(identity));
    await until(() => candidates.some(({ election }) => election.isLeader()), 'there is a leader');
    await holds(timing.leaseMilliseconds + timing.renewMilliseconds);
    expect(candidates.filter(({ election }) => election.isLeader()).length).to.equal(1);
    expect(events.length).to.equal(1);
    expect((await lease())?.leaseTransitions).to.equal(0);
  });

  it('hands over at once when the leader stops', async () => {
    const first = candidate('a');
    await until(() => first.election.isLeader(), 'a leads');
    const second = candidate('b');
    await until(() => second.history.includes('sees a'), 'b knows who leads');
    const began = performance.now();
    await first.election.stop();
    await until(() => second.election.isLeader(), 'b leads');
    expect(performance.now() - began).to.be.lessThan(timing.leaseMilliseconds / 2);
    expect(first.election.isLeader()).to.equal(false);
    expect(events).to.deep.equal(['a leads', 'b leads']);
    const spec = await lease();
    expect([spec?.holderIdentity, spec?.leaseTransitions]).to.deep.equal(['b', 1]);
  });

  it('takes over from a leader that vanished, which has given up by then', async () => {
    const cut: ClientOptions = { timeoutMilliseconds: 1_000 };
    const first = candidate('a', relay.client(cut));
    await until(() => first.election.isLeader(), 'a leads');
    const second = candidate('b');
    await until(() => second.history.includes('sees a'), 'b knows who leads');
    relay.freeze();
    await until(() => second.election.isLeader(), 'b leads');
    expect(events.length).to.equal(3);
    expect(events[1]).to.match(/^a lost: The Lease the-operator could not be renewed for 2 s/);
    expect(events[2]).to.equal('b leads');
    expect(first.election.isLeader()).to.equal(false);
  });

  it('is lost at once to another who holds the Lease', async () => {
    const first = candidate('a');
    await until(() => first.election.isLeader(), 'a leads');
    const spec = { holderIdentity: 'intruder', leaseDurationSeconds: 3 };
    await harness.client.patch(Lease, { namespace, name }, { kind: 'Merge', body: { spec } });
    await until(() => first.history.length > 2, 'a has noticed');
    expect(first.history.at(-1)).to.equal('lost: The Lease the-operator was taken over by intruder.');
    await first.election.stop();
    expect((await lease())?.holderIdentity).to.equal('intruder');
  });

  it('does not believe the clock of another: a Lease from the future or the past is waited for just as long', async () => {
    for (const renewTime of ['2001-01-01T00:00:00.000000Z', '2101-01-01T00:00:00.000000Z']) {
      const there = await newNamespace(harness.client);
      const spec = { holderIdentity: 'dead', leaseDurationSeconds: 1, acquireTime: renewTime, renewTime };
      const metadata = { namespace: there, name };
      await harness.client.create(Lease, { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata, spec });
      namespace = there;
      const began = performance.now();
      const { election } = candidate('a');
      await until(() => election.isLeader(), 'a leads');
      expect(performance.now() - began).to.be.within(1_000, 2_500);
    }
  });

  it('goes on leading when all connections are reset', async () => {
    const first = candidate('a', relay.client());
    await until(() => first.election.isLeader(), 'a leads');
    relay.cut();
    const before = (await lease())?.renewTime;
    await until(async () => (await lease())?.renewTime !== before, 'the Lease is renewed');
    expect(first.history).to.deep.equal(['sees a', 'leads']);
  });

  it('has a Lease that somebody deleted made anew by one of them', async () => {
    const first = candidate('a');
    await until(() => first.election.isLeader(), 'a leads');
    await harness.client.delete(Lease, { namespace, name });
    await until(async () => (await lease())?.holderIdentity === 'a', 'the Lease is back');
    expect(first.election.isLeader()).to.equal(true);
  });

  it('refuses times with which two could lead', () => {
    const start = () =>
      startLeaderElection({
        ...{ client: harness.client, namespace, name, identity: 'a', logger: silentLogger },
        onLeading: () => undefined,
        onLost: () => undefined,
        timing: { leaseMilliseconds: 2_000, renewMilliseconds: 2_000 },
      });
    expect(start).to.throw('leaseMilliseconds > renewMilliseconds');
  });
});
