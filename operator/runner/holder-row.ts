import { ConnectionLost, Interrupted, Unreachable } from './core/failure.ts';
import { removeHolder, writeHolder, type Holder, type HolderState } from './postgres/holder.ts';
import { prepareTable } from './postgres/holder-table.ts';
import { describeDatabaseError, type Session } from './postgres/session.ts';

export const BEAT_EVERY_MS = 5000;

/**
 * Nothing that is done waits for this session, and it waits for nobody: a heartbeat that comes late is none. What it
 * says on the way need not outlive a crash of the server.
 */
const SETTINGS = `SET lock_timeout = '2s'; SET statement_timeout = '5s'; SET synchronous_commit = off`;

/** A statement may be cancelled by hand; what is refused for another reason will be so again. */
const REMOVALS = 2;

export interface HolderRowOptions {
  /** Opens a session on the maintenance database. */
  open: () => Promise<Session>;
  database: string;
  /** The session that holds the lock. */
  lockPid: number;
  holder: Holder;
  /** How far the holder has come by now. */
  state: () => HolderState;
  /** Called with a sentence for people when others cannot be told. */
  onProblem: (message: string) => void;
  /** Called when the session above does not hold the lock any more. */
  onLockLost: () => void;
}

/**
 * Keeps the row that says who works on a database, on a session of its own: at the beginning of each step, and every
 * five seconds. Whatever goes wrong with it stops nothing.
 */
export class HolderRow {
  /** Settles when others have been told for the first time, or cannot be. */
  readonly begun: Promise<void>;
  readonly #options: HolderRowOptions;
  readonly #beat: NodeJS.Timeout;
  #session: Session | undefined;
  #isPrepared = false;
  #isGivenUp = false;
  #isEnded = false;
  #isDue = false;
  #told: string | undefined;
  #writing: Promise<void> | undefined;

  constructor(options: HolderRowOptions) {
    this.#options = options;
    this.#beat = setInterval(() => this.write(), BEAT_EVERY_MS);
    this.write();
    this.begun = this.#writing ?? Promise.resolve();
  }

  /** Tells others how far the holder is, as soon as that can be; nobody waits for it. */
  write(): void {
    this.#isDue = true;
    this.#writing ??= this.#writeWhileDue().finally(() => (this.#writing = undefined));
  }

  /**
   * Takes the row away: the holder says that it has ended.
   *
   * @throws ConnectionLost, Unreachable, Interrupted when that cannot be done now
   */
  async remove(): Promise<void> {
    clearInterval(this.#beat);
    this.#isDue = false;
    await this.#writing;
    if (this.#isGivenUp) return;
    // Where the run is called finished all the same, whoever comes next is told for a minute of somebody who is gone.
    if (this.#isEnded) throw new Interrupted('the sessions were cut before others were told of the end');
    for (let attempt = 1; attempt <= REMOVALS && !(await this.#isRemoved()); attempt++);
    this.#isGivenUp = true;
  }

  async #isRemoved(): Promise<boolean> {
    const { database, lockPid, holder } = this.#options;
    try {
      const session = await this.#open();
      // The end must outlive a crash of the server: else whoever comes next waits a minute for who is gone.
      await session?.query('SET synchronous_commit = on');
      if (session) await removeHolder(session, { ...holder, database, lockPid });
      return true;
    } catch (error) {
      if ([ConnectionLost, Unreachable, Interrupted].some((kind) => error instanceof kind)) throw error;
      this.#tell(describeDatabaseError(error));
      return false;
    }
  }

  /** Cuts the session; what it said stays. */
  end(): void {
    this.#isEnded = true;
    clearInterval(this.#beat);
    this.#session?.destroy();
  }

  async #writeWhileDue(): Promise<void> {
    while (this.#isDue && !this.#isGivenUp && !this.#isEnded) {
      this.#isDue = false;
      try {
        await this.#writeOnce();
      } catch (error) {
        this.#failed(error);
      }
    }
  }

  async #writeOnce(): Promise<void> {
    const session = await this.#open();
    if (!session) return;
    const { database, lockPid, holder, state, onLockLost } = this.#options;
    const isHeld = await writeHolder(session, { database, lockPid, ...holder, ...state() });
    if (!isHeld && !this.#isEnded) onLockLost();
  }

  /** @returns undefined where there is no table to write to */
  async #open(): Promise<Session | undefined> {
    this.#session ??= await this.#connect();
    if (this.#isPrepared) return this.#session;
    const problem = await prepareTable(this.#session);
    if (problem !== undefined) return this.#giveUp(problem);
    this.#isPrepared = true;
    return this.#session;
  }

  async #connect(): Promise<Session> {
    const session = await this.#options.open();
    if (this.#isEnded) {
      session.destroy();
      throw new Interrupted('nobody is told any more');
    }
    session.whenLost(() => {
      if (this.#session === session) this.#session = undefined;
    });
    await session.query(SETTINGS);
    return session;
  }

  #failed(error: unknown): void {
    // Opened anew with the next heartbeat.
    if (this.#isEnded || error instanceof ConnectionLost || error instanceof Interrupted) return;
    // What the server refuses may have become of the table: it is looked at anew, too.
    this.#isPrepared = false;
    this.#tell(describeDatabaseError(error));
  }

  #giveUp(why: string): undefined {
    this.#isGivenUp = true;
    clearInterval(this.#beat);
    this.#session?.destroy();
    this.#tell(why);
    return undefined;
  }

  #tell(why: string): void {
    if (this.#told === why) return;
    this.#told = why;
    const { database, onProblem } = this.#options;
    onProblem(`Nobody else is told who works on database "${database}", although they are kept out: ${why}.`);
  }
}
