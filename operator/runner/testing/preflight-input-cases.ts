import { ROLES, type Case } from './preflight-cases.ts';

/** Between those that are there. */
const LONG = `0001${'a'.repeat(60)}`;

export const FILES_AND_QUESTIONS: Case[] = [
  {
    title: 'a syntax error, by file and line',
    before: (scenario) => scenario.write({ '0002_price.up.sql': 'SELECT 1;\n\nALTER TABEL item ADD x int;' }),
    reason: 'InvalidMigration',
    message: () => '0002_price.up.sql: line 3: syntax error at or near "TABEL"',
  },
  {
    title: 'a revision that is too long to be reported',
    before: (scenario) => scenario.write({ [`${LONG}_note.up.sql`]: 'SELECT 1' }),
    reason: 'InvalidMigration',
    message: () =>
      `the revision of "${LONG}_note" has 64 characters, but a run can tell of no more than 63: give its file a shorter one`,
  },
  {
    title: 'a migration that ends its transaction',
    before: (scenario) => scenario.write({ '0002_price.up.sql': 'SELECT 1; COMMIT; SELECT 2' }),
    reason: 'InvalidMigration',
    message: () =>
      '0002_price.up.sql: "COMMIT" would end the transaction that the runner wraps around the migration; remove it',
  },
  {
    title: 'no `down` where only `down` may undo it',
    options: { plan: { rollback: { strategy: 'Down', restorePoint: 'Auto' } } },
    before: (scenario) => scenario.write({ '0002_price.down.sql': undefined }),
    reason: 'DownMissing',
    message: () => 'migration "0002_price" has no down, which rollback.strategy Down needs',
  },
  {
    title: 'no `down` where it is to be undone on request',
    options: { spec: { direction: 'Down', startRevision: '0002', targetRevision: '0001' } },
    before: (scenario) => scenario.write({ '0002_price.down.sql': undefined }),
    reason: 'DownMissing',
    message: () => 'migration "0002_price" has no down, which undoing it needs',
  },
  {
    title: 'data that fails an integrity check, with the first row',
    options: {
      plan: {
        preflight: {
          minPostgresVersion: 11,
          freeDiskFactor: 2,
          checks: [
            {
              name: 'items without amount',
              query: 'SELECT id, amount FROM public.item WHERE amount > 980 ORDER BY id',
              expect: { rows: 0 },
              message: 'Correct them first.',
            },
          ],
        },
      },
    },
    reason: 'CheckFailed',
    message: () =>
      'check "items without amount": expected 0 rows, got 2; the first: id = "99", amount = "990". Correct them first.',
  },
  {
    title: 'a check that is no question',
    options: {
      plan: {
        verification: {
          checks: [{ name: 'clean', query: 'DELETE FROM public.item', expect: { value: '0' } }],
          rollbackChecks: [],
          jobs: [],
        },
      },
    },
    reason: 'CheckFailed',
    message: () => 'check "clean": is not a SELECT',
  },
  {
    title: 'a check with a place for a value',
    options: {
      plan: {
        verification: {
          checks: [
            { name: 'cheap', query: 'SELECT count(*) FROM public.item WHERE price < $1', expect: { value: '0' } },
          ],
          rollbackChecks: [],
          jobs: [],
        },
      },
    },
    reason: 'CheckFailed',
    message: () => 'check "cheap": has a parameter like $1, for which there is no value',
  },
];

export const URLS: Case[] = [
  {
    title: 'a Secret without a URL',
    url: () => undefined,
    reason: 'InvalidDatabaseURL',
    message: () => /^DATABASE_URL is empty; give the Secret a value like postgres:/,
  },
  {
    title: 'a malformed URL',
    url: () => 'postgres://migrator:hunter2@[nowhere:5432/shop',
    reason: 'InvalidDatabaseURL',
    message: () => /^DATABASE_URL cannot be parsed as a URL; give/,
  },
  {
    title: 'a URL of something else',
    url: () => 'mysql://migrator:hunter2@db/shop',
    reason: 'InvalidDatabaseURL',
    message: () => /^DATABASE_URL is not a postgres:\/\/ URL; give/,
  },
  {
    title: 'a wrong password',
    before: async (scenario, server) => {
      await ROLES(`ALTER ROLE OWNER PASSWORD 'right'; GRANT checked TO OWNER`)(scenario, server);
    },
    url: (scenario) => scenario.url.replace('@', ':hunter2@'),
    reason: 'AuthenticationFailed',
    message: ({ owner, server }) =>
      `PostgreSQL refused the password of role "${owner}" for database "postgres" on ${server.host}:${server.port}; correct the Secret's URL`,
  },
  {
    title: 'a database that does not exist',
    url: (scenario) => scenario.url.replace(/[^/]+$/, 'nowhere'),
    reason: 'DatabaseNotFound',
    message: ({ server }) =>
      `database "nowhere" on ${server.host}:${server.port} does not exist; correct the Secret's URL or create it`,
  },
  {
    title: 'a maintenance database that is the migrated one',
    before: (scenario) => {
      scenario.memory.run.spec.plan.database.maintenanceDatabase = scenario.database;
      return Promise.resolve();
    },
    reason: 'InvalidDatabaseURL',
    message: ({ database }) =>
      `database.maintenanceDatabase and the URL name the same database "${database}"; the lock must be held in another one`,
  },
];
