import { execa } from 'execa';
import type { Server } from './scenario.ts';

/** Everything that PostgreSQL can hold in a database of an ordinary owner, and what belongs to the database itself; DATABASE_NAME and CLIENT stand for names. */
export const CONTENT = `
CREATE EXTENSION hstore;
CREATE SCHEMA accounts;
CREATE TYPE accounts.state AS ENUM ('open', 'closed');
CREATE DOMAIN accounts.percent AS int CHECK (VALUE BETWEEN 0 AND 100);
CREATE SEQUENCE accounts.number START 40;
SELECT nextval('accounts.number');
CREATE TABLE accounts.account (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, number bigint DEFAULT nextval('accounts.number'),
  state accounts.state NOT NULL DEFAULT 'open', discount accounts.percent, labels hstore,
  upper_state text GENERATED ALWAYS AS (CASE WHEN state = 'open' THEN 'OPEN' ELSE 'CLOSED' END) STORED
);
CREATE TABLE accounts.entry (account bigint REFERENCES accounts.account, day date, amount numeric) PARTITION BY RANGE (day);
CREATE TABLE accounts.entry_2026 PARTITION OF accounts.entry FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE UNLOGGED TABLE accounts.scratch (x int);
INSERT INTO accounts.account (discount, labels) SELECT n % 100, 'a=>1' FROM generate_series(1, 200) n;
INSERT INTO accounts.entry SELECT n, date '2026-01-01' + n, n FROM generate_series(1, 200) n;
INSERT INTO accounts.scratch VALUES (1);
CREATE INDEX ON accounts.entry (day) WHERE amount > 10;
CREATE STATISTICS accounts.both (dependencies) ON number, state FROM accounts.account;
ALTER TABLE accounts.account ALTER number SET STATISTICS 500, ENABLE ROW LEVEL SECURITY;
CREATE POLICY everybody ON accounts.account USING (true);
CREATE FUNCTION accounts.touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE TRIGGER touched BEFORE UPDATE ON accounts.account FOR EACH ROW EXECUTE FUNCTION accounts.touch();
CREATE VIEW accounts.total AS SELECT account, sum(amount) FROM accounts.entry GROUP BY 1;
CREATE MATERIALIZED VIEW accounts.totals AS SELECT * FROM accounts.total;
CREATE PUBLICATION changes FOR TABLE accounts.account;
COMMENT ON COLUMN accounts.account.discount IS 'in percent';
GRANT SELECT (id) ON accounts.account TO CLIENT;
ALTER DEFAULT PRIVILEGES IN SCHEMA accounts GRANT SELECT ON TABLES TO CLIENT;
SELECT lo_from_bytea(4711, 'a large object');
COMMENT ON DATABASE DATABASE_NAME IS 'it''s the shop';
REVOKE ALL ON DATABASE DATABASE_NAME FROM PUBLIC;
GRANT CONNECT, TEMPORARY ON DATABASE DATABASE_NAME TO CLIENT WITH GRANT OPTION;
ALTER DATABASE DATABASE_NAME SET search_path = accounts, "$user", public;
ALTER DATABASE DATABASE_NAME SET work_mem = '7MB';
ALTER DATABASE DATABASE_NAME SET shop.tenant = 'north';
ALTER ROLE CLIENT IN DATABASE DATABASE_NAME SET statement_timeout = '9s';
ALTER DATABASE DATABASE_NAME CONNECTION LIMIT 37;
ALTER DATABASE DATABASE_NAME IS_TEMPLATE true`;

/** Content, schema and what belongs to the database, as pg_dump writes it. */
export async function everythingOf(
  server: Server & { adminUrl(database: string): string },
  database: string,
): Promise<string> {
  const options = ['--create', '--blobs', `--dbname=${server.adminUrl(database)}`];
  const { stdout } = await execa('/usr/lib/postgresql/15/bin/pg_dump', options);
  // Two lines hold a random key; the order of an access list has no meaning.
  const lines = stdout.split('\n').filter((line) => !/^\\(un)?restrict /.test(line));
  const planner = await server.psql(
    `SELECT attname, attstattarget FROM pg_attribute WHERE attrelid = 'accounts.account'::regclass AND attnum > 0`,
    database,
  );
  return [...lines, planner].join('\n');
}
