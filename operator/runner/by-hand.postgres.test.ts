import { expect } from 'chai';
import { startPostgres, type Postgres } from '../../e2e/cluster/postgres.ts';
import type { StepFailure } from './core/failure.ts';
import { Scenario } from './testing/scenario.ts';

describe('By hand', function () {
  this.timeout(60_000);
  let server: Postgres;
  let scenario: Scenario;

  before(async () => {
    server = await startPostgres();
  });
  after(() => server.stop());
  afterEach(() => scenario.end());

  const refusalOf = (migrating: Promise<void>) =>
    migrating.then(
      () => expect.fail('it was migrated'),
      ({ reason, message }: StepFailure) => ({ reason, message }),
    );

  describe('a migration that was begun outside a transaction and whose end nobody recorded', () => {
    const begun = () =>
      scenario.sql(
        `INSERT INTO phasemigration.ledger (revision, name, direction, state, checksum, started_at)
         VALUES ('0002', '0002_price', 'up', 'started', 'a checksum', now())`,
      );

    for (const { what, to } of [
      { what: 'is not tried again', to: '0002' },
      { what: 'is not passed over when there is nothing to do', to: '0001' },
    ])
      it(what, async () => {
        scenario = await Scenario.create(server);
        await begun();
        const { reason, message } = await refusalOf(scenario.byHand(to));
        expect(reason).equal('UnexpectedRevision');
        expect(message).match(/^the ledger of database "shop \d+" says that "0002_price" \(up\) was begun outside a/);
        expect(await scenario.ledger()).equal('0001 up applied, 0002 up started');
        expect(await scenario.holder()).equal(undefined);
      });

    it('is tried again when somebody has recorded that it failed', async () => {
      scenario = await Scenario.create(server);
      await begun();
      await scenario.sql(
        `INSERT INTO phasemigration.ledger (revision, name, direction, state, checksum, started_at)
         SELECT revision, name, direction, 'failed', checksum, started_at FROM phasemigration.ledger WHERE state = 'started'`,
      );
      await scenario.byHand('0002');
      expect(await scenario.ledger()).equal('0001 up applied, 0002 up started, 0002 up failed, 0002 up applied');
    });
  });

  it('nothing is undone in a database without a ledger, and nothing done instead', async () => {
    scenario = await Scenario.create(server, { at: 'none' });
    const { reason, message } = await refusalOf(scenario.byHand('0001', 'down'));
    expect(reason).equal('UnexpectedRevision');
    expect(message).match(/^nothing is applied to database "shop \d+" that could be undone/);
    expect(await scenario.sql(`SELECT to_regclass('public.item') IS NULL`)).equal('t');
    expect(await scenario.ledger()).equal('');
  });
});
