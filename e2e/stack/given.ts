import { migrationsConfigMap, type FileChanges } from './migration-files.ts';
import { holdSession, type HeldSession } from './psql.ts';
import { migrateByHand, newRevision, rollout } from './planner.ts';
import { TEMPORARY_LABEL, type Site } from './site.ts';

/** What is there before something happens. Whatever is added is gone before the next scenario. */
export class Given {
  readonly #site: Site;
  readonly #sessions: HeldSession[] = [];

  constructor(site: Site) {
    this.#site = site;
  }

  /** An object of the namespace, as kubectl takes it. */
  async object(manifest: object): Promise<void> {
    const { cluster, namespace } = this.#site;
    const { metadata, ...rest } = manifest as { metadata: { labels?: Record<string, string> } };
    const labels = { ...metadata.labels, [TEMPORARY_LABEL]: '' };
    await cluster.exec(['kubectl', 'apply', '--server-side', '-n', namespace, '-f', '-'], {
      input: JSON.stringify({ ...rest, metadata: { ...metadata, labels } }),
    });
  }

  /** A ConfigMap with the planner's migration files, some of them changed. @returns its name, for spec.migrations */
  async migrations(
    changes: FileChanges,
    name = 'scenario-migrations',
  ): Promise<{ configMapRef: { name: string }; image: null }> {
    await this.object(await migrationsConfigMap(name, changes));
    return { configMapRef: { name }, image: null };
  }

  /** A Secret with this URL of the database under DATABASE_URL. @returns what spec.database says of it */
  async secret(name: string, url: string): Promise<{ urlSecretRef: { name: string } }> {
    await this.object({ apiVersion: 'v1', kind: 'Secret', metadata: { name }, stringData: { DATABASE_URL: url } });
    return { urlSecretRef: { name } };
  }

  /** The URL that the planner's own Secret has. */
  url(): URL {
    return new URL(Buffer.from(this.#site.secret['DATABASE_URL']!, 'base64').toString());
  }

  /** A superuser's session that stays until it is released, or the scenario ends. */
  async session(database: 'planner' | 'postgres', statement?: string): Promise<HeldSession> {
    const session = await holdSession(this.#site.cluster, { namespace: this.#site.namespace, database }, statement);
    this.#sessions.push(session);
    return session;
  }

  /** Ends what a scenario that failed has left open: it would hold up the next one. */
  async end(): Promise<void> {
    await Promise.all(this.#sessions.map((session) => session.release()));
  }

  /** The database is at the new revision already, without any run. */
  async migratedByHand(): Promise<void> {
    await migrateByHand(this.#site.cluster, this.#site.namespace, newRevision);
  }

  /** Every pod of a workload is ready. */
  async rolledOut(workload: string): Promise<void> {
    await rollout(this.#site.cluster, this.#site.namespace, workload);
  }

  /** SQL as superuser. */
  sql(statements: string, database?: string): Promise<string> {
    return this.#site.psql.ask(statements, database);
  }
}
