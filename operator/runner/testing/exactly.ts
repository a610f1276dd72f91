import { expect } from 'chai';
import type { Scenario } from './scenario.ts';

/** How a finished run must have left the database of a scenario. */
export interface Exactly {
  ledger: string;
  /** Number of items and the sum of their amounts or prices. */
  rows: string;
  columns: string;
  databaseChanged: 'Yes' | 'No';
}

export const MIGRATED: Exactly = {
  ledger: '0001 up applied, 0002 up applied',
  rows: '100 50500',
  columns: 'id price note',
  databaseChanged: 'Yes',
};

export const PUT_BACK: Exactly = {
  ledger: '0001 up applied',
  rows: '100 50500',
  columns: 'id amount',
  databaseChanged: 'No',
};

/** Looks at data, schema, ledger and everything that must not be left behind. */
export async function expectExactly(scenario: Scenario, expected: Exactly): Promise<void> {
  const { runner } = scenario.memory;
  expect(await scenario.ledger(), 'ledger').equal(expected.ledger);
  const columns = await scenario.sql(
    `SELECT string_agg(attname, ' ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'item'::regclass AND attnum > 0 AND NOT attisdropped`,
  );
  expect(columns, 'columns').equal(expected.columns);
  const amount = expected.columns.split(' ')[1]!;
  expect(await scenario.sql(`SELECT count(*) || ' ' || sum(${amount}) FROM item`), 'rows').equal(expected.rows);
  expect(runner.databaseChanged, 'databaseChanged').equal(expected.databaseChanged);
  expect(await scenario.leftovers(), 'leftovers').deep.equal([]);
  expect(runner.steps?.filter(({ state }) => state === 'Running').map(({ name }) => name)).deep.equal([]);
}
