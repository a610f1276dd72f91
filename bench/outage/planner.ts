import type { CommandOptions } from '../../e2e/cluster/command.ts';
import type { Progress } from '../../e2e/cluster/progress.ts';
import type { Cluster } from '../../e2e/cluster/provider.ts';
import { imageSources } from '../../e2e/stack/images.ts';
import { installPlanner, migrateByHand, oldRevision, seedPlanner, type Dataset } from '../../e2e/stack/planner.ts';
import { sql } from '../../e2e/stack/psql.ts';

export const DEPLOYMENT = 'planner-backend';
export const SERVICE = 'planner-backend';
export const CONTAINER = 'backend';
export const SELECTOR = 'app.kubernetes.io/name=planner-backend';
export const OLD_IMAGE = imageSources.plannerOld.name;
export const NEW_IMAGE = imageSources.plannerNew.name;
export const POSTGRES_IMAGE = imageSources.postgres17.name;
/** As the two versions of the backend call themselves. */
export const OLD_VERSION = '1.0.0';
export const NEW_VERSION = '2.0.0';
export const REPLICAS = 3;

/** The data sets that give a number of assignments. */
const DATA: Record<number, Dataset[]> = { 1011: ['planner'], 1_000_000: ['scale-1000000', 'planner'] };
export const SIZES = Object.keys(DATA).map(Number);

/** The planner that is migrated again and again, in a namespace of its own. */
export class Planner {
  readonly cluster: Cluster;
  readonly namespace: string;

  constructor(cluster: Cluster, namespace: string) {
    this.cluster = cluster;
    this.namespace = namespace;
  }

  async kubectl(args: string[], options: CommandOptions = {}): Promise<string> {
    const { stdout } = await this.cluster.exec(['kubectl', '-n', this.namespace, ...args], options);
    return stdout.trim();
  }

  async apply(...objects: object[]): Promise<void> {
    const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects });
    await this.kubectl(['apply', '-f', '-'], { input });
  }

  /** Installs everything and keeps a template of the database for each size. */
  async install(sizes: readonly number[], progress: Progress): Promise<void> {
    const { cluster, namespace } = this;
    // What an earlier benchmark left may be half-migrated.
    await cluster.exec(['kubectl', 'delete', 'namespace', namespace, '--ignore-not-found', '--timeout=180s']);
    const values = { backups: { enabled: true } };
    await installPlanner(cluster, { namespace, replicas: REPLICAS, values, progress });
    for (const size of sizes) {
      progress(`loading ${size.toLocaleString('en-US')} assignments`);
      await this.#scaleToZero();
      await this.#sql(emptyDatabase);
      await migrateByHand(cluster, namespace, oldRevision);
      await seedPlanner(cluster, namespace, DATA[size]!);
      const loaded = await sql(cluster, namespace, 'SELECT count(*) FROM public.resource_assignments');
      if (Number(loaded) !== size) throw new Error(`The seed data has ${loaded} assignments instead of ${size}.`);
      await sql(cluster, namespace, 'VACUUM (ANALYZE, FREEZE)');
      await this.#sql(makeTemplate(size));
    }
  }

  /** Makes the database what the template is and the application the old version, as before every run. */
  async reset(size: number): Promise<void> {
    await this.#deleteAll('jobs');
    await this.#deleteAll('phasemigrations');
    await this.#scaleToZero();
    await this.#dropLeftDatabases();
    await this.#sql(fromTemplate(size));
    await this.kubectl(['set', 'image', 'deployment', DEPLOYMENT, `${CONTAINER}=${OLD_IMAGE}`]);
    await this.kubectl(['scale', 'deployment', DEPLOYMENT, `--replicas=${REPLICAS}`]);
    await this.kubectl(['rollout', 'status', 'deployment', DEPLOYMENT, '--timeout=120s']);
  }

  /** Whether the database is what the migration should have made of the template: every check of it, and all rows. */
  async isMigrated(size: number, checks: string): Promise<boolean> {
    await sql(this.cluster, this.namespace, checks);
    const rows = await sql(this.cluster, this.namespace, 'SELECT count(*) FROM public.resource_assignments');
    return Number(rows) === size;
  }

  /** Of a kind that the cluster need not have: without the operator there are no PhaseMigrations. */
  async #deleteAll(kind: string): Promise<void> {
    const { stdout } = await this.cluster.exec(['kubectl', 'api-resources', '--no-headers', '-o', 'name']);
    const isKnown = stdout.split('\n').some((name) => name.split('.')[0] === kind);
    if (isKnown) await this.kubectl(['delete', kind, '--all', '--timeout=120s']);
  }

  async #scaleToZero(): Promise<void> {
    await this.kubectl(['scale', 'deployment', DEPLOYMENT, '--replicas=0']);
    await this.kubectl(['wait', '--for=delete', 'pod', `--selector=${SELECTOR}`, '--timeout=120s']);
  }

  /** Restore points of a run that was ended by force would be copied and kept for ever. */
  async #dropLeftDatabases(): Promise<void> {
    const known =
      "datname NOT IN ('planner', 'postgres', 'template0', 'template1') AND NOT starts_with(datname, 'seed_')";
    const left = await this.#sql(`SELECT datname FROM pg_catalog.pg_database WHERE ${known}`);
    for (const name of left.split('\n').filter(Boolean)) await this.#sql(`DROP DATABASE "${name}" WITH (FORCE)`);
  }

  #sql(statements: string): Promise<string> {
    return sql(this.cluster, this.namespace, statements, 'postgres');
  }
}

/** What a clone of a database does not take over, as the entrypoint of the image sets it. */
const access = `
  REVOKE CONNECT, TEMPORARY ON DATABASE planner FROM PUBLIC;
  GRANT CONNECT ON DATABASE planner TO planner_app;`;

const emptyDatabase = `
  DROP DATABASE IF EXISTS planner WITH (FORCE);
  CREATE DATABASE planner OWNER planner_owner;
  ${access}`;

const templateOf = (size: number) => `seed_${size}`;

const makeTemplate = (size: number) => `
  DROP DATABASE IF EXISTS ${templateOf(size)};
  CREATE DATABASE ${templateOf(size)} TEMPLATE planner STRATEGY file_copy;`;

const fromTemplate = (size: number) => `
  DROP DATABASE IF EXISTS planner WITH (FORCE);
  ALTER ROLE planner_app LOGIN;
  CREATE DATABASE planner TEMPLATE ${templateOf(size)} OWNER planner_owner STRATEGY file_copy;
  ${access}
  CHECKPOINT;`;
