/** Lets one at a time do something, in the order in which they asked. */
export class Turns {
  private last: Promise<unknown> = Promise.resolve();

  /** Resolves with what `act` resolves with, when those before it are done; a failure of one does not concern the next. */
  take<T>(act: () => Promise<T>): Promise<T> {
    const turn = this.last.then(act, act);
    this.last = turn.catch(() => undefined);
    return turn;
  }
}
