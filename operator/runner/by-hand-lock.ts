import { hostname, userInfo } from 'node:os';
import { ConnectionLost, StepFailure } from './core/failure.ts';
import { messageOf } from '../kube/message-of.ts';
import { byHandApplicationName } from './core/names.ts';
import { HolderRow } from './holder-row.ts';
import { holdsLock, tryLock, warningOf } from './postgres/lock.ts';
import { Session } from './postgres/session.ts';
import type { DatabaseAddress } from './postgres/url.ts';

/** The person and the machine, or the pod: for whoever is kept out meanwhile. */
function whoIsThis(): string {
  return `${process.env.USER ?? userName() ?? 'somebody'}@${hostname()}`;
}

/** A container's user need not have a name. */
function userName(): string | undefined {
  try {
    return userInfo().username;
  } catch {
    return undefined;
  }
}

/** `application_name` of what is done outside any run. */
export function applicationByHand(): string {
  return byHandApplicationName(whoIsThis());
}

export interface ByHandLockOptions {
  address: DatabaseAddress;
  /** Another database of the server. */
  maintenanceDatabase: string;
  print: (line: string) => void;
}

/** The lock on a database in the hands of a person, and what others are told of that. */
export class ByHandLock {
  readonly #database: string;
  readonly #maintenance: Session;
  readonly #row: HolderRow;
  readonly #print: ByHandLockOptions['print'];
  #step: string | undefined;

  private constructor({ address, maintenanceDatabase, print }: ByHandLockOptions, maintenance: Session) {
    this.#database = address.database;
    this.#maintenance = maintenance;
    this.#print = print;
    this.#row = new HolderRow({
      ...{ database: address.database, lockPid: maintenance.pid, holder: { name: whoIsThis() } },
      open: () => Session.open(address, maintenanceDatabase, applicationByHand()),
      state: () => ({ state: 'Working', ...(this.#step ? { step: this.#step } : {}) }),
      onProblem: (problem) => print(`warning: ${problem}`),
      // It is asked for before each COMMIT, where it matters.
      onLockLost: () => undefined,
    });
  }

  /** @throws StepFailure WaitingForLock, saying who works on the database */
  static async take(options: ByHandLockOptions): Promise<ByHandLock> {
    const { address, maintenanceDatabase, print } = options;
    const maintenance = await Session.open(address, maintenanceDatabase, applicationByHand());
    try {
      const claim = { database: address.database, roles: [], holder: { name: whoIsThis() } };
      const taking = await tryLock(maintenance, claim);
      if (taking.refusal)
        throw new StepFailure('WaitingForLock', `${taking.refusal.message}; try again when it has ended`);
      const warning = warningOf(taking.earlier, claim);
      if (warning) print(`warning: ${warning}`);
      const lock = new ByHandLock(options, maintenance);
      await lock.#row.begun;
      return lock;
    } catch (error) {
      await maintenance.close();
      throw error;
    }
  }

  /** Tells others what is being done. */
  begin(step: string): void {
    this.#step = step;
    this.#row.write();
  }

  /**
   * @param asked any other session
   * @throws ConnectionLost when the lock has gone with its session: somebody else may work on the database by now
   */
  async assertHeld(asked: Session): Promise<void> {
    if (await holdsLock(asked, this.#maintenance.pid, this.#database)) return;
    throw new ConnectionLost(
      `the session that held the lock on database "${this.#database}" has ended; nothing more is committed`,
    );
  }

  async release(): Promise<void> {
    await this.#row.remove().catch((error: unknown) => this.#print(`warning: ${messageOf(error)}`));
    this.#row.end();
    await this.#maintenance.close();
  }
}
