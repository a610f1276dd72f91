import { expect } from 'chai';
import { startPostgres, type Postgres } from '../../e2e/cluster/postgres.ts';
import { Scenario } from './testing/scenario.ts';

describe('While a pod that was told to stop has not ended', function () {
  this.timeout(60_000);
  let server: Postgres;
  let scenario: Scenario;

  before(async () => {
    server = await startPostgres();
  });
  after(() => server.stop());
  beforeEach(async () => {
    scenario = await Scenario.create(server);
  });
  afterEach(() => scenario.end());

  const waits = () =>
    scenario.memory.when(
      ({ waitingFor }) => waitingFor === 'Clients are let in again when every pod that was told to stop has ended.',
      'the runner to wait for pods',
    );
  const reached = (goal: string) => scenario.memory.when(({ reachedGoal }) => reachedGoal === goal, `goal ${goal}`);

  it('the fence stays up behind the verified migration', async () => {
    scenario.start();
    await scenario.reach('Prepared');
    scenario.memory.podsEndAtOnce = false;
    scenario.memory.setGoal('Migrated');
    await waits();
    expect(scenario.step('Verify')?.state).to.equal('Succeeded');
    expect(scenario.step('Unfence')).to.equal(undefined);
    expect(await scenario.clientCanConnect()).to.equal(false);
    scenario.memory.setStatus({ workloadsStopped: true });
    expect((await reached('Migrated')).waitingFor).to.equal(undefined);
    expect(await scenario.clientCanConnect()).to.equal(true);
  });

  it('the fence stays up behind what was undone', async () => {
    scenario.start();
    await scenario.reach('Prepared');
    await scenario.reach('Migrated');
    scenario.memory.podsEndAtOnce = false;
    scenario.memory.setGoal('RolledBack');
    await waits();
    expect(await scenario.sql('SELECT sum(amount) FROM item')).to.equal('50500');
    expect(await scenario.clientCanConnect()).to.equal(false);
    scenario.memory.setStatus({ workloadsStopped: true });
    await reached('RolledBack');
    expect(await scenario.clientCanConnect()).to.equal(true);
  });

  it('the migration can be undone, and another start of the runner waits like the first', async () => {
    scenario.start();
    await scenario.reach('Prepared');
    scenario.memory.podsEndAtOnce = false;
    scenario.memory.setGoal('Migrated');
    await waits();
    scenario.runners[0]!.kill();
    await scenario.runners[0]!.ended.catch(() => undefined);
    scenario.startNext();
    await scenario.memory.when(({ epoch, waitingFor }) => epoch === 2 && waitingFor !== undefined, 'start 2 to wait');
    expect(await scenario.clientCanConnect()).to.equal(false);
    scenario.memory.podsEndAtOnce = true;
    await scenario.reach('RolledBack');
    expect(await scenario.sql('SELECT sum(amount) FROM item')).to.equal('50500');
    expect(await scenario.clientCanConnect()).to.equal(true);
  });

  it('a run of an earlier version is not held up: its operator says nothing of pods', async () => {
    await scenario.end();
    scenario = await Scenario.create(server, { spec: { protocol: 1 } });
    scenario.start();
    await scenario.reach('Prepared');
    scenario.memory.podsEndAtOnce = false;
    await scenario.reach('Migrated');
    expect(await scenario.clientCanConnect()).to.equal(true);
  });
});
