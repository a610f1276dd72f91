import type { Reason } from '../../api/reasons.ts';
import { BACKUP, FILES, type Scenario, type Server } from './scenario.ts';

type Options = NonNullable<Parameters<typeof Scenario.create>[1]>;

/** A reason not to begin, and the sentence that people read. */
export interface Case {
  title: string;
  options?: Options;
  /** What somebody did before the run began. */
  before?: (scenario: Scenario, server: Server) => Promise<unknown>;
  url?: (scenario: Scenario) => Promise<string | undefined> | string | undefined;
  reason: Reason;
  message: (scenario: Scenario) => string | RegExp;
}

const THIRD = { '0003_tax.up.sql': 'SELECT 1', '0003_tax.down.sql': 'SELECT 1' };
/** Runs SQL as superuser in which OWNER and CLIENT stand for the scenario’s roles. */
export const ROLES = (text: string) => (scenario: Scenario, server: Server) =>
  server.psql(text.replaceAll('OWNER', `"${scenario.owner}"`).replaceAll('CLIENT', `"${scenario.client}"`));

export const SERVER: Case[] = [
  {
    title: 'a server that is too old',
    options: { plan: { preflight: { minPostgresVersion: 16, freeDiskFactor: 2, checks: [] } } },
    reason: 'PostgresVersionTooOld',
    message: () => /^the server is PostgreSQL 15\.\S+.*, but preflight\.minPostgresVersion is 16$/,
  },
  {
    title: 'too little disk on the backup volume',
    before: (scenario) => {
      scenario.memory.run.spec.plan.preflight.freeDiskFactor = 100_000_000;
      return Promise.resolve();
    },
    reason: 'NotEnoughDisk',
    message: () => /^the backup volume has \d+ MiB free, but 100000000 × the database’s size is \d+ MiB$/,
  },
  {
    title: 'too little disk on the server, where the role may measure it',
    options: { privileges: 'CREATEDB CREATEROLE' },
    before: async (scenario, server) => {
      scenario.memory.run.spec.plan.preflight.freeDiskFactor = 100_000_000;
      await ROLES('GRANT pg_execute_server_program, pg_read_all_settings TO OWNER')(scenario, server);
    },
    reason: 'NotEnoughDisk',
    message: () => /2\. NotEnoughDisk: the server’s data directory has \d+ MiB free, but 100000000 ×/,
  },
  {
    title: 'a replication slot of the database',
    before: (scenario) => scenario.sql(`SELECT pg_create_logical_replication_slot('warehouse', 'test_decoding')`),
    reason: 'ReplicationSlots',
    message: () =>
      /^replication slot "warehouse" would be lost or block .*: drop them, or set rollback\.restorePoint None$/,
  },
  {
    title: 'a subscription of the database',
    before: (scenario) =>
      scenario.sql(`CREATE SUBSCRIPTION feed CONNECTION 'dbname=nowhere' PUBLICATION p WITH (connect = false)`),
    reason: 'ReplicationSlots',
    message: () => /^subscription "feed" would be lost/,
  },
  // Last: a slot is not made while any transaction of the server is open.
  {
    title: 'a prepared transaction',
    before: (scenario) => scenario.sql(`BEGIN; INSERT INTO item VALUES (900, 1); PREPARE TRANSACTION 'left by a tool'`),
    reason: 'PreparedTransactions',
    message: () =>
      'prepared transactions hold locks: "left by a tool" of role "postgres"; COMMIT PREPARED or ROLLBACK PREPARED them',
  },
];

export const PRIVILEGES: Case[] = [
  {
    title: 'no CREATEDB, without which no restore point could be put back',
    options: { privileges: 'CREATEROLE' },
    reason: 'InsufficientPrivilege',
    message: ({ owner }) =>
      `role "${owner}" may not create databases, which a restore point needs: ALTER ROLE "${owner}" CREATEDB, or set rollback.restorePoint None`,
  },
  {
    title: 'no CREATEDB, where the backup is to be restored',
    options: {
      privileges: 'CREATEROLE',
      plan: { backup: { ...BACKUP, rehearsal: 'Restore' }, rollback: { strategy: 'Auto', restorePoint: 'None' } },
    },
    reason: 'InsufficientPrivilege',
    message: ({ owner }) =>
      `role "${owner}" may not create databases, which the rehearsal of the backup needs: ALTER ROLE "${owner}" CREATEDB, or set backup.rehearsal Read`,
  },
  {
    title: 'no CREATEDB, where it is needed for both',
    options: { privileges: 'CREATEROLE', plan: { backup: { ...BACKUP, rehearsal: 'Restore' } } },
    reason: 'InsufficientPrivilege',
    message: ({ owner }) =>
      `role "${owner}" may not create databases, which a restore point and the rehearsal of the backup need: ALTER ROLE "${owner}" CREATEDB, or set rollback.restorePoint None and backup.rehearsal Read`,
  },
  {
    title: 'no CREATEROLE, where roles are fenced off',
    options: { privileges: 'CREATEDB' },
    reason: 'InsufficientPrivilege',
    message: ({ owner, client }) => `role "${owner}" may not set "${client}" NOLOGIN: ALTER ROLE "${owner}" CREATEROLE`,
  },
  {
    title: 'no right to end the sessions of others',
    before: ROLES('REVOKE pg_signal_backend FROM OWNER'),
    reason: 'InsufficientPrivilege',
    message: ({ owner, client }) =>
      `role "${owner}" may not end the sessions of "${client}": GRANT pg_signal_backend TO "${owner}"`,
  },
  {
    title: 'somebody else’s database',
    before: async (scenario, server) => {
      await server.psql(`ALTER DATABASE "${scenario.database}" OWNER TO postgres`);
    },
    reason: 'InsufficientPrivilege',
    message: ({ owner, database }) =>
      new RegExp(`role "${owner}" is not the owner of database "${database}": GRANT "postgres" TO "${owner}"`),
  },
  {
    title: 'a client role that does not exist',
    before: ROLES('DROP ROLE CLIENT'),
    reason: 'InsufficientPrivilege',
    message: ({ client }) => `the role "${client}" of database.clientRoles does not exist`,
  },
  {
    title: 'a client role that is a superuser',
    before: ROLES('ALTER ROLE CLIENT SUPERUSER'),
    reason: 'InsufficientPrivilege',
    message: ({ client }) =>
      `"${client}" of database.clientRoles is a superuser, whom no fence can keep out: ALTER ROLE "${client}" NOSUPERUSER`,
  },
  {
    title: 'a client role that only its members log in with',
    before: async (scenario, server) => {
      const group = `group of ${scenario.database}`;
      await ROLES(
        `CREATE ROLE "${group}" NOLOGIN; CREATE ROLE "inner ${group}" NOLOGIN; GRANT "${group}" TO "inner ${group}", OWNER;
         GRANT "inner ${group}" TO CLIENT`,
      )(scenario, server);
      scenario.memory.run.spec.plan.database.clientRoles = [group];
    },
    reason: 'InsufficientPrivilege',
    message: ({ client, database }) =>
      `"group of ${database}" of database.clientRoles cannot log in, but its members can: NOLOGIN for it would keep nobody out. Name "${client}" there instead`,
  },
  {
    title: 'the runner’s own role among the client roles',
    before: (scenario) => {
      scenario.memory.run.spec.plan.database.clientRoles = [scenario.owner];
      return Promise.resolve();
    },
    reason: 'InsufficientPrivilege',
    message: ({ owner }) =>
      `"${owner}" of database.clientRoles is the role of the runner’s own URL: leave database.clientRoles empty where the application shares the owner’s role`,
  },
  {
    title: 'a superuser without client roles, whom CONNECTION LIMIT does not keep out',
    options: { ownerIsClient: true },
    before: ROLES('ALTER ROLE OWNER SUPERUSER'),
    reason: 'InsufficientPrivilege',
    message: ({ owner }) =>
      `role "${owner}" is a superuser, whom CONNECTION LIMIT 0 does not keep out: name the application’s roles in database.clientRoles`,
  },
  {
    title: 'a setting of the database that only a superuser could put back',
    before: (scenario) => scenario.sql(`ALTER DATABASE "${scenario.database}" SET log_statement = 'ddl'`),
    reason: 'InsufficientPrivilege',
    message: ({ owner, database }) =>
      `role "${owner}" could not give a restore point what belongs to database "${database}" itself: ALTER DATABASE "${database}" SET "log_statement" TO 'ddl': permission denied to set parameter "log_statement" (SQLSTATE 42501); grant it, or set rollback.restorePoint None`,
  },
  {
    title: 'an archive as restore point, of what the role could not make anew',
    options: { plan: { rollback: { strategy: 'Auto', restorePoint: 'Dump' } } },
    before: async (scenario) => {
      const third = `third of ${scenario.database}`;
      await scenario.sql(`
        CREATE ROLE "${third}"; CREATE ROLE "friend of ${third}"; GRANT "friend of ${third}" TO "${scenario.owner}";
        CREATE EXTENSION pg_stat_statements; CREATE EXTENSION hstore; CREATE PUBLICATION everything FOR ALL TABLES;
        CREATE FUNCTION public.noop() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN END $$;
        ALTER FUNCTION public.noop() OWNER TO "${scenario.owner}";
        CREATE EVENT TRIGGER watch ON ddl_command_end EXECUTE FUNCTION public.noop();
        CREATE TABLE public.theirs (x int); ALTER TABLE public.theirs OWNER TO "${third}";
        CREATE TABLE public.friendly (x int); ALTER TABLE public.friendly OWNER TO "friend of ${third}";
        CREATE TABLE public.roots (x int); GRANT SELECT ON public.theirs, public.roots TO "${scenario.owner}"`);
    },
    reason: 'InsufficientPrivilege',
    message: ({ owner, database }) =>
      `role "${owner}" could not put back a restore point that is an archive: extension pg_stat_statements, which only a superuser may make; publication everything FOR ALL TABLES, which only a superuser may make; event trigger watch, which only a superuser may make; publication everything of role "postgres"; table roots of role "postgres"; table theirs of role "third of ${database}". Set rollback.restorePoint Template, which copies everything, or GRANT it the roles that own them`,
  },
  {
    title: 'no CONNECT on the database',
    before: (scenario) =>
      scenario.sql(
        `ALTER DATABASE "${scenario.database}" OWNER TO postgres; REVOKE CONNECT ON DATABASE "${scenario.database}" FROM PUBLIC`,
      ),
    reason: 'InsufficientPrivilege',
    message: ({ owner, database, server }) =>
      `role "${owner}" may not connect to database "${database}" on ${server.host}:${server.port}: GRANT CONNECT ON DATABASE "${database}" TO "${owner}"`,
  },
];

export const HISTORY: Case[] = [
  {
    title: 'another revision than the expected one',
    options: { files: { ...FILES, ...THIRD }, at: '0001', spec: { startRevision: '0002', targetRevision: '0003' } },
    reason: 'UnexpectedRevision',
    message: ({ database }) =>
      `database "${database}" is at revision "0001", but "0002" was expected; migrate it there first, or correct migrations.from`,
  },
  {
    title: 'no ledger',
    options: { at: 'none' },
    reason: 'UnexpectedRevision',
    message: ({ database }) =>
      `database "${database}" has no ledger of migrations, but "0001" was expected; declare what is there with: runner migrate --baseline 0001 --to 0001`,
  },
  {
    title: 'a revision that has no file',
    options: { spec: { targetRevision: '0009' } },
    reason: 'UnknownRevision',
    message: () => 'revision "0009" has no migration file; there are "0001_base", "0002_price"',
  },
  {
    title: 'a target that comes before the start',
    options: {
      files: { ...FILES, ...THIRD },
      spec: { startRevision: '0003', targetRevision: '0002' },
      plan: { snapshots: [] },
    },
    reason: 'UnknownRevision',
    message: () => '"0002" does not come after "0003" in the order of the migration files',
  },
  {
    title: 'an applied migration whose file was changed',
    before: (scenario) => scenario.write({ '0001_base.up.sql': 'SELECT 1' }),
    reason: 'MigrationChanged',
    message: () =>
      /^the file of "0001_base" was changed after it was applied \(SHA-256 [0-9a-f]{12}… then, [0-9a-f]{12}… now\); restore it/,
  },
  {
    title: 'an applied migration whose file is gone',
    options: { files: { ...FILES, '0000_first.up.sql': 'SELECT 1' } },
    before: (scenario) => scenario.write({ '0000_first.up.sql': undefined }),
    reason: 'MigrationVanished',
    message: () => 'migration "0000" was applied to the database but its file is gone; bring the file back',
  },
  {
    title: 'a migration that was slipped in before an applied one',
    before: (scenario) => scenario.write({ '0000_first.up.sql': 'SELECT 1' }),
    reason: 'MigrationOutOfOrder',
    message: () => 'the 1st applied migration is "0001", but the files have "0000_first" in that place',
  },
];
