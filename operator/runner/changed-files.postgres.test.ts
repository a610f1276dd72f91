import { expect } from 'chai';
import { startPostgres, type Postgres } from '../../e2e/cluster/postgres.ts';
import { expectExactly, PUT_BACK } from './testing/exactly.ts';
import { FILES, Scenario, type Files } from './testing/scenario.ts';

const module = (more: string) => `${more}
export async function up({ client }) {
  await client.query('ALTER TABLE item RENAME COLUMN amount TO price');
  await client.query('ALTER TABLE item ADD COLUMN note text');
}`;
const LOST = `await client.query('DELETE FROM item WHERE id = 1')`;
const changed = (text: string) => text.replace(`ADD COLUMN note text');`, `ADD COLUMN note text');\n  ${LOST};`);
const { '0001_base.up.sql': base } = FILES as { '0001_base.up.sql': string };

describe('A migration file that is changed after it was judged', function () {
  this.timeout(60_000);
  let server: Postgres;
  let scenario: Scenario;

  before(async () => {
    server = await startPostgres();
  });
  after(() => server.stop());
  afterEach(() => scenario.end());

  async function prepared(files: Files) {
    scenario = await Scenario.create(server, { files });
    const runner = scenario.start();
    await scenario.reach('Prepared');
    return runner;
  }

  async function refused(): Promise<void> {
    scenario.memory.setGoal('Migrated');
    const { reason, message } = await scenario.failed('Migrate');
    expect(reason).equal('MigrationChanged');
    expect(message).match(
      /^the file of migration "0002_price" was changed after it was judged before the outage \(SHA-256 [0-9a-f]{12}… then/,
    );
    await scenario.reach('RolledBack');
    await scenario.reach('Finished');
    await expectExactly(scenario, PUT_BACK);
  }

  for (const [what, more] of Object.entries({ 'a module': '', 'a module alone': 'export const transaction = false;' }))
    it(`is not run: ${what}`, async () => {
      await prepared({ '0001_base.up.sql': base, '0002_price.mjs': module(more) });
      await scenario.write({ '0002_price.mjs': changed(module(more)) });
      await refused();
    });

  it('is not run by another start of the runner', async () => {
    const first = await prepared(FILES);
    first.kill();
    await first.ended;
    await scenario.write({ '0002_price.up.sql': `${FILES['0002_price.up.sql']}; DELETE FROM item WHERE id = 1` });
    scenario.memory.setGoal('Migrated');
    scenario.startNext();
    await refused();
  });

  it('does not undo what was carried out before', async () => {
    const first = await prepared(FILES);
    scenario.memory.podsEndAtOnce = false;
    scenario.memory.setGoal('Migrated');
    await scenario.memory.when(({ databaseChanged }) => databaseChanged === 'Yes', 'the migration');
    first.kill();
    await first.ended;
    await scenario.write({ '0002_price.up.sql': `${FILES['0002_price.up.sql']}; DELETE FROM item WHERE id = 1` });
    scenario.startNext();
    scenario.memory.podsEndAtOnce = true;
    await scenario.reach('Migrated');
    expect(await scenario.ledger()).equal('0001 up applied, 0002 up applied');
  });
});
