import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomUUID } from 'node:crypto';
import { API_VERSION, RUN_PROTOCOL } from '../../api/names.ts';
import type { PhaseMigrationRunSpec } from '../../api/phase-migration-run.ts';
import { plan, type Plan } from '../../api/plan.ts';
import { silentLogger } from '../../kube/logger.ts';
import type { RunPort } from '../port.ts';
import { migrateByHand } from '../by-hand.ts';
import { HOLDER_TABLE } from '../postgres/holder-table.ts';
import { until } from '../postgres/wait.ts';
import { runRunner, type RunnerEnd } from '../run.ts';
import { MemoryRun } from './memory-port.ts';

/** The part of a throw-away PostgreSQL that a scenario needs. */
export interface Server {
  host: string;
  port: number;
  psql(sql: string, database?: string): Promise<string>;
}

export interface Runner {
  epoch: number;
  /** How it ended; rejects with what it threw. */
  ended: Promise<RunnerEnd>;
  /** Ends it at once, as a kill would for everything but the process itself. */
  kill(): void;
}

/** Migration files by name. */
export type Files = Record<string, string>;

export const FILES: Files = {
  '0001_base.up.sql': `
    CREATE TABLE item (id int PRIMARY KEY, amount numeric NOT NULL);
    INSERT INTO item SELECT n, n * 10 FROM generate_series(1, 100) n;
    GRANT SELECT, INSERT, UPDATE, DELETE ON item TO PUBLIC`,
  '0002_price.up.sql': `
    ALTER TABLE item RENAME COLUMN amount TO price;
    ALTER TABLE item ADD COLUMN note text;
    DO $$ BEGIN RAISE WARNING '% items were renamed', (SELECT count(*) FROM item); END $$`,
  '0002_price.down.sql': `
    ALTER TABLE item DROP COLUMN note;
    ALTER TABLE item RENAME COLUMN price TO amount`,
};

/** What a plan says of its backup when it says nothing. */
export const BACKUP = plan.shape.backup.parse({ claimName: 'backup' });

/** The migration waits for as long as a session named `hold DATABASE` is there. */
export const WAITING_FILES = {
  ...FILES,
  '0002_price.up.sql': `${FILES['0002_price.up.sql']};
    DO $$ BEGIN
      WHILE EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'hold ' || current_database()) LOOP
        PERFORM pg_sleep(0.01), pg_stat_clear_snapshot();
      END LOOP;
    END $$`,
};

let counter = 0;

const recording = new WeakMap<Server, Promise<unknown>>();

/** Makes the table that says who works on which database, as a superuser does where several roles own databases. */
function madeHolderTable(server: Server): Promise<unknown> {
  const grant = 'GRANT INSERT, UPDATE, DELETE ON phasemigration.holder TO PUBLIC';
  const made = recording.get(server) ?? server.psql(`${HOLDER_TABLE} ${grant}`);
  recording.set(server, made);
  return made;
}

/** One database with a client role and a run on it. */
export class Scenario {
  readonly server: Server;
  readonly database: string;
  readonly owner: string;
  readonly client: string;
  readonly memory: MemoryRun;
  readonly folders: { root: string; migrations: string; backup: string };
  epoch = 1;
  readonly runners: Runner[] = [];

  private constructor(
    server: Server,
    names: { id: number; database: string; owner: string; client: string },
    folders: Scenario['folders'],
    spec: PhaseMigrationRunSpec,
  ) {
    this.server = server;
    this.database = names.database;
    this.owner = names.owner;
    this.client = names.client;
    this.folders = folders;
    this.memory = new MemoryRun({
      apiVersion: API_VERSION,
      kind: 'PhaseMigrationRun',
      metadata: { namespace: 'shop', name: `rename-amount-${names.id}`, uid: randomUUID() },
      spec,
    });
  }

  static async create(
    server: Server,
    options: {
      files?: Files;
      plan?: Partial<Plan>;
      spec?: Partial<PhaseMigrationRunSpec>;
      ownerIsClient?: boolean;
      /** The revision that is there; default: the one that the run starts from. `none`: not even a ledger. */
      at?: string;
      /** Of CREATE DATABASE. */
      databaseOptions?: string;
      privileges?: string;
      /** Nobody has made the table that says who works on the database. */
      withoutHolderTable?: boolean;
    } = {},
  ): Promise<Scenario> {
    if (!options.withoutHolderTable) await madeHolderTable(server);
    const id = ++counter;
    const names = { id, database: `shop ${id}`, owner: `migrator ${id}`, client: `app ${id}` };
    const root = await mkdtemp(join(tmpdir(), 'phase-migration-runner-'));
    const folders = { root, migrations: root, backup: root };
    const { owner, client, database } = names;
    await server.psql(
      `CREATE ROLE "${owner}" LOGIN ${options.privileges ?? 'CREATEDB CREATEROLE'}; CREATE ROLE "${client}" LOGIN; GRANT pg_signal_backend TO "${owner}"`,
    );
    await server.psql(`CREATE DATABASE "${database}" OWNER "${owner}" ${options.databaseOptions ?? ''}`);
    await server.psql(`ALTER SCHEMA public OWNER TO "${owner}"`, database);
    const spec: PhaseMigrationRunSpec = {
      phaseMigrationRef: { name: 'rename-amount', uid: 'pm' },
      attempt: 1,
      protocol: RUN_PROTOCOL,
      direction: 'Up',
      requestHash: 'hash',
      plan: makePlan({ clientRoles: options.ownerIsClient ? [] : [client], ...options.plan }),
      startRevision: '0001',
      targetRevision: '0002',
      goal: 'Prepared',
      runnerEpoch: 1,
      ...options.spec,
    };
    const scenario = new Scenario(server, names, folders, spec);
    await scenario.write(options.files ?? FILES);
    if (options.at !== 'none') await scenario.byHand(options.at ?? spec.startRevision);
    return scenario;
  }

  get url(): string {
    return this.urlAt(this.server.port);
  }

  /** The database's URL by way of another port. */
  urlAt(port: number): string {
    return `postgres://${encodeURIComponent(this.owner)}@${this.server.host}:${port}/${encodeURIComponent(this.database)}`;
  }

  /** Writes migration files, or removes them. */
  async write(files: Record<string, string | undefined>): Promise<void> {
    for (const [name, text] of Object.entries(files)) {
      const path = join(this.folders.migrations, name);
      if (text === undefined) await rm(path);
      else await writeFile(path, text);
    }
  }

  byHand(to: string, direction: 'up' | 'down' = 'up'): Promise<void> {
    return migrateByHand({
      databaseUrl: this.url,
      maintenanceDatabase: 'postgres',
      folder: this.folders.migrations,
      to,
      direction,
      print: () => undefined,
    });
  }

  /** Starts the runner for the epoch that the run wants, or another one. */
  start(
    options: {
      epoch?: number;
      databaseUrl?: string | (() => string);
      faults?: Parameters<MemoryRun['port']>[1];
      port?: RunPort;
    } = {},
  ): Runner {
    const epoch = options.epoch ?? this.epoch;
    const url = 'databaseUrl' in options ? options.databaseUrl : this.url;
    const killing = new AbortController();
    const ended = runRunner({
      port: options.port ?? this.memory.port(epoch, options.faults),
      databaseUrl: typeof url === 'function' ? url : () => url,
      epoch,
      folders: this.folders,
      logger: silentLogger,
      signal: killing.signal,
    });
    ended.catch(() => undefined);
    const runner = { epoch, ended, kill: () => killing.abort() };
    this.runners.push(runner);
    return runner;
  }

  /** As the operator does when a pod is gone: another start, which makes all earlier ones void. */
  startNext(options: Parameters<Scenario['start']>[0] = {}): Runner {
    this.memory.setEpoch(++this.epoch);
    return this.start(options);
  }

  /** Moves the goal on and waits until it is reached. */
  async reach(goal: 'Prepared' | 'Migrated' | 'RolledBack' | 'Finished'): Promise<void> {
    this.memory.setGoal(goal);
    await this.memory.when((runner) => runner.reachedGoal === goal && runner.epoch === this.epoch, `goal ${goal}`);
  }

  async failed(step: string): Promise<{ reason?: string; message?: string }> {
    const runner = await this.memory.when(
      ({ steps }) => steps?.some(({ name, state }) => name === step && state === 'Failed') ?? false,
      `failure of ${step}`,
    );
    return runner.steps!.find(({ name }) => name === step)!;
  }

  step(name: string) {
    return this.memory.runner.steps?.find((step) => step.name === name);
  }

  sql(text: string): Promise<string> {
    return this.server.psql(text, this.database);
  }

  /** Whether the client role can log in to the database. */
  async clientCanConnect(): Promise<boolean> {
    const { rolcanlogin, limit } = JSON.parse(
      await this.server.psql(
        `SELECT json_build_object('rolcanlogin', (SELECT rolcanlogin FROM pg_roles WHERE rolname = '${this.client}'), 'limit', (SELECT datconnlimit FROM pg_database WHERE datname = '${this.database}'))`,
      ),
    ) as { rolcanlogin: boolean; limit: number | null };
    return rolcanlogin && limit !== null && limit !== 0;
  }

  /** What the fixed place says of the database; undefined where it says nothing. */
  async holder(): Promise<Record<string, unknown> | undefined> {
    const made = await this.server.psql(`SELECT to_regclass('phasemigration.holder') IS NOT NULL`);
    if (made !== 't') return undefined;
    const question = `SELECT row_to_json(h) FROM phasemigration.holder h WHERE database = '${this.database}'`;
    const text = await this.server.psql(question);
    return text === '' ? undefined : (JSON.parse(text) as Record<string, unknown>);
  }

  /** Everything that a finished run must leave behind: nothing but its result. */
  async leftovers(): Promise<string[]> {
    const databases = await this.server.psql(
      `SELECT datname FROM pg_database WHERE datname LIKE '${this.database}\\_%'`,
    );
    return [
      ...databases.split('\n'),
      ...(await this.sessions()).split('\n'),
      ...((await this.clientCanConnect()) ? [] : ['the fence']),
      ...((await this.holder()) ? ['a row that says that somebody works on it'] : []),
    ].filter(Boolean);
  }

  /** The sessions that the run leaves on the server: those that have not ended a while after their client. */
  async sessions(): Promise<string> {
    const question = `SELECT application_name FROM pg_stat_activity WHERE application_name LIKE 'phasemigration shop/${this.memory.run.metadata.name} %'`;
    let left = '';
    await until(5000, 'the end of sessions', async () => (left = await this.server.psql(question)) === '').catch(
      () => undefined,
    );
    return left;
  }

  ledger(): Promise<string> {
    return this.sql(
      `SELECT string_agg(revision || ' ' || direction || ' ' || state, ', ' ORDER BY id) FROM phasemigration.ledger`,
    );
  }

  async end(): Promise<void> {
    for (const runner of this.runners) runner.kill();
    await Promise.allSettled(this.runners.map(({ ended }) => ended));
    await rm(this.folders.root, { recursive: true, force: true });
  }
}

type PlanChanges = Partial<Plan> & { clientRoles?: string[] };

export function makePlan({ clientRoles = [], ...changes }: PlanChanges): Plan {
  return plan.parse({
    database: { urlSecretRef: { name: 'shop-db' }, clientRoles },
    migrations: { configMapRef: { name: 'files' }, from: '0001', to: '0002' },
    workloads: [{ kind: 'Deployment', name: 'shop' }],
    snapshots: [
      {
        name: 'total',
        query: 'SELECT count(*), sum(amount) FROM public.item',
        queryAfter: 'SELECT count(*), sum(price) FROM public.item',
      },
    ],
    backup: { claimName: 'backup' },
    verification: {
      checks: [{ name: 'no negative price', query: 'SELECT count(*) FROM public.item WHERE price < 0' }],
      rollbackChecks: [{ name: 'amount is back', query: 'SELECT count(*) FROM public.item WHERE amount IS NULL' }],
    },
    ...changes,
  });
}
