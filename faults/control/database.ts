import type { PhaseMigrationRun } from '../../operator/api/resources.ts';

export type Schema = 'Old' | 'New';

/** A pod of the application that has not ended. */
export interface ServingPod {
  name: string;
  version: Schema;
}

/** One line of the ledger: it is only ever appended to. */
export interface LedgerEntry {
  migration: string;
  operation: 'Applied' | 'Undone' | 'PutBack';
  run: string;
}

/**
 * What the runner would find in PostgreSQL, as far as the control plane can do harm to it. Every promise that can be
 * broken at a change of it is checked at that change, and what was broken is kept.
 */
export class Database {
  schema: Schema = 'Old';
  fenced = false;
  restorePoint = false;
  readonly ledger: LedgerEntry[] = [];
  /** Rows that clients wrote, and how many of them the restore point holds. */
  clientRows = 0;
  rowsAtRestorePoint = 0;
  /** The runner's pod that holds the advisory lock. */
  lockedBy: string | undefined;
  readonly broken: string[] = [];

  breach(sentence: string): void {
    if (!this.broken.includes(sentence)) this.broken.push(sentence);
  }

  fence(livePods: string[], why: string): void {
    if (livePods.length > 0)
      this.breach(`${why} was begun while ${livePods.join(', ')} was neither gone nor told to stop`);
    this.fenced = true;
  }

  /** Whoever has not ended opens sessions again, even one that was told to. */
  unfence(pods: ServingPod[]): void {
    const strangers = pods.filter(({ version }) => version !== this.schema).map(({ name }) => name);
    if (this.fenced && strangers.length > 0)
      this.breach(`the fence was lifted on the ${this.schema} schema while ${strangers.join(', ')} had not ended`);
    this.fenced = false;
  }

  takeRestorePoint(): void {
    this.restorePoint = true;
    this.rowsAtRestorePoint = this.clientRows;
  }

  /** Goes from the run's start to its target, once: a runner that is started again finds it in the ledger. */
  migrate(run: PhaseMigrationRun): void {
    const { name } = run.metadata;
    const operation = run.spec.direction === 'Up' ? 'Applied' : 'Undone';
    if (this.ledger.some((entry) => entry.run === name && entry.operation === operation)) return;
    if (!this.fenced) this.breach(`${name} migrated without the fence`);
    const target: Schema = run.spec.direction === 'Up' ? 'New' : 'Old';
    if (this.schema === target) this.breach(`${name} applied the migration on a schema that has it`);
    this.schema = target;
    this.ledger.push({ migration: run.spec.plan.migrations.to, operation, run: name });
  }

  /** Undoes the run's migration and keeps what clients wrote, once. */
  down(run: PhaseMigrationRun): void {
    const { name } = run.metadata;
    const operation = run.spec.direction === 'Up' ? 'Undone' : 'Applied';
    if (this.ledger.some((entry) => entry.run === name && entry.operation === operation)) return;
    if (!this.fenced) this.breach(`${name} undid the migration without the fence`);
    this.schema = run.spec.direction === 'Up' ? 'Old' : 'New';
    this.ledger.push({ migration: run.spec.plan.migrations.to, operation, run: name });
  }

  putBack(run: PhaseMigrationRun): void {
    const { name } = run.metadata;
    if (!this.fenced) this.breach(`${name} put the restore point back without the fence`);
    if (this.clientRows > this.rowsAtRestorePoint) this.breach(`${name} lost rows that clients had written`);
    this.schema = run.spec.direction === 'Up' ? 'Old' : 'New';
    this.ledger.push({ migration: run.spec.plan.migrations.to, operation: 'PutBack', run: name });
  }

  /** A pod of the application that can log in works on the schema that is there. */
  serve(pod: string, version: Schema): void {
    if (this.fenced) return;
    if (version !== this.schema)
      this.breach(`pod ${pod} of the ${version} version served on the ${this.schema} schema`);
    else this.clientRows += 1;
  }
}
