import { StepFailure } from '../core/failure.ts';
import type { Direction, Migration } from '../core/migrations.ts';
import { appendLedger } from '../postgres/ledger.ts';
import { sqlState, type Session } from '../postgres/session.ts';

/** Who does it, for the ledger; a person has neither run nor epoch. */
export interface Author {
  run?: string;
  epoch?: number;
}

/**
 * A transaction of the runner's in which migrations run. Their statements are judged before they are sent, but that
 * nothing of them was committed is believed only of the very transaction that was begun.
 */
export class Transaction {
  readonly session: Session;
  #id: string | undefined;
  #isEscaped = false;
  #underWay: { migration: Migration; direction: Direction; startedAt: Date } | undefined;

  private constructor(session: Session) {
    this.session = session;
  }

  static async begin(session: Session): Promise<Transaction> {
    await session.query('BEGIN');
    return new Transaction(session);
  }

  /** To be asked before each migration: what is found out afterwards is compared with what was there before it. */
  async enter(migration: Migration, direction: Direction): Promise<Date> {
    this.#id ??= await currentId(this.session);
    const startedAt = new Date();
    this.#underWay = { migration, direction, startedAt };
    return startedAt;
  }

  /**
   * @throws StepFailure when the migration ended the transaction and the session is in another one
   */
  async assertOpen(): Promise<void> {
    if ((await currentId(this.session)) === this.#id) return;
    this.#isEscaped = true;
    throw new StepFailure(
      'MigrationFailed',
      `migration "${this.#underWay?.migration.name}" ended the runner’s transaction itself; what it did is committed or lost, and not known. Take the transaction control out of it`,
    );
  }

  /**
   * Rolls back, and asks the server whether that was the end of this transaction. If not, the ledger says from then on
   * that the migration failed and left something behind, so that no start of the runner takes the database as untouched.
   *
   * @returns whether nothing of it was committed
   */
  async rollBack(author: Author): Promise<boolean> {
    const { session } = this;
    await session.query('ROLLBACK');
    await session.pin();
    if (!this.#underWay || (await this.#isUndone())) return true;
    await appendLedger(session, { ...this.#underWay, state: 'failed', ...author });
    return false;
  }

  async #isUndone(): Promise<boolean> {
    if (this.#isEscaped) return false;
    try {
      const { status } = await this.session.one('SELECT pg_catalog.txid_status($1::int8) AS status', [this.#id]);
      return status === 'aborted';
    } catch (error) {
      // Not answered is not undone.
      if (sqlState(error) === undefined) throw error;
      return false;
    }
  }
}

async function currentId(session: Session): Promise<string> {
  return (await session.one('SELECT pg_catalog.txid_current() AS id'))['id']!;
}
