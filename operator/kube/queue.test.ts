import { expect } from 'chai';
import fc from 'fast-check';
import { silentLogger } from './logger.ts';
import { WorkQueue, type Clock, type Outcome } from './queue.ts';
import { backoffDelay } from './timing.ts';

/** A clock that moves only when told to, and never fires two timers without letting promises settle in between. */
class FakeClock implements Clock {
  #now = 0;
  #timers: { due: number; callback: () => void }[] = [];
  now = (): number => this.#now;
  after = (milliseconds: number, callback: () => void) => {
    // As the system's clock does: no timer lasts longer than 2³¹−1 ms.
    const timer = { due: this.#now + Math.min(milliseconds, 2 ** 31 - 1), callback };
    this.#timers.push(timer);
    return () => void (this.#timers = this.#timers.filter((each) => each !== timer));
  };
  get pending(): number {
    return this.#timers.length;
  }
  async advance(milliseconds: number): Promise<void> {
    const end = this.#now + milliseconds;
    for (;;) {
      await settle();
      const next = this.#timers.toSorted((a, b) => a.due - b.due).find((timer) => timer.due <= end);
      if (next === undefined) break;
      this.#timers = this.#timers.filter((each) => each !== next);
      this.#now = Math.max(this.#now, next.due);
      next.callback();
    }
    this.#now = end;
    await settle();
  }
}

async function settle(): Promise<void> {
  for (let i = 0; i < 10; i++) await Promise.resolve();
}

const backoff = { baseMilliseconds: 100, capMilliseconds: 10_000 };

/** A queue on a fake clock whose work ends when `finish` says so. */
function manual(concurrency = 1) {
  const clock = new FakeClock();
  const started: string[] = [];
  const running = new Map<string, (outcome: Outcome) => void>();
  const process = (key: string) => {
    if (running.has(key)) throw new Error(`${key} is processed twice at a time`);
    started.push(key);
    return new Promise<Outcome>((resolve) => running.set(key, resolve));
  };
  const queue = new WorkQueue({ process, concurrency, backoff, logger: silentLogger, clock, random: () => 0 });
  const finish = async (key: string, outcome: Outcome = { result: 'Done' }) => {
    const resolve = running.get(key);
    running.delete(key);
    resolve?.(outcome);
    await settle();
  };
  return { clock, queue, started, running, finish };
}

describe('WorkQueue', () => {
  it('processes a key that is added several times while it waits once', async () => {
    const { queue, started, finish } = manual();
    queue.add('a');
    queue.add('b');
    queue.add('b');
    await finish('a');
    await finish('b');
    expect(started).to.deep.equal(['a', 'b']);
    expect(queue.depth).to.equal(0);
  });

  it('processes a key that is added while it is processed once more, not at the same time', async () => {
    const { queue, started, running, finish } = manual(3);
    queue.add('a');
    queue.add('a');
    queue.add('a');
    expect(running.size).to.equal(1);
    expect(queue.depth).to.equal(1);
    await finish('a');
    await finish('a');
    expect(started).to.deep.equal(['a', 'a']);
  });

  it('takes the earliest of several times', async () => {
    const { clock, queue, started, finish } = manual();
    queue.addAfter('a', 1_000);
    queue.addAfter('a', 300);
    queue.addAfter('a', 5_000);
    await clock.advance(299);
    expect(started).to.deep.equal([]);
    await clock.advance(1);
    expect(started).to.deep.equal(['a']);
    await finish('a');
    await clock.advance(10_000);
    expect(started).to.deep.equal(['a']);
  });

  it('waits for more milliseconds than a timer can hold', async () => {
    const { clock, queue, started } = manual();
    const fortyDays = 40 * 86_400_000;
    queue.addAfter('a', fortyDays);
    await clock.advance(fortyDays - 1);
    expect(started).to.deep.equal([]);
    await clock.advance(1);
    expect(started).to.deep.equal(['a']);
  });

  it('doubles the delay with every failure in a row, and begins anew after a success', async () => {
    const { clock, queue, started, finish } = manual();
    const fail: Outcome = { result: 'Retry', error: new Error('no') };
    queue.add('a');
    for (const delay of [100, 200, 400]) {
      await finish('a', fail);
      const before = started.length;
      await clock.advance(delay - 1);
      expect(started.length, `before ${delay} ms`).to.equal(before);
      await clock.advance(1);
      expect(started.length, `after ${delay} ms`).to.equal(before + 1);
    }
    await finish('a', { result: 'RequeueAfter', milliseconds: 50 });
    await clock.advance(50);
    await finish('a', fail);
    await clock.advance(100);
    expect(started.length).to.equal(6);
  });

  it('does not process a terminal failure again until somebody adds it', async () => {
    const { clock, queue, started, finish } = manual();
    queue.add('a');
    await finish('a', { result: 'Terminal', error: new Error('never') });
    await clock.advance(1_000_000);
    expect(started).to.deep.equal(['a']);
    queue.add('a');
    expect(started).to.deep.equal(['a', 'a']);
  });

  it('treats a rejection as a failure to be retried', async () => {
    const clock = new FakeClock();
    let calls = 0;
    const process = () =>
      ++calls === 1 ? Promise.reject(new Error('no')) : Promise.resolve({ result: 'Done' as const });
    const queue = new WorkQueue({ process, concurrency: 1, backoff, logger: silentLogger, clock, random: () => 0 });
    queue.add('a');
    await clock.advance(100);
    expect(calls).to.equal(2);
  });

  it('waits at shutdown for what is running and begins nothing more', async () => {
    const { clock, queue, started, finish } = manual();
    queue.add('a');
    queue.add('b');
    queue.addAfter('c', 10);
    let over = false;
    const done = queue.shutdown().then(() => (over = true));
    queue.add('d');
    await clock.advance(1_000);
    expect(over).to.equal(false);
    await finish('a', { result: 'RequeueAfter', milliseconds: 1 });
    await done;
    await clock.advance(1_000);
    expect(started).to.deep.equal(['a']);
    expect(clock.pending).to.equal(0);
  });

  it('shuts down at once when nothing is running', async () => {
    await manual().queue.shutdown();
  });

  it('processes a key once that was added meanwhile and is to be looked at again at once', async () => {
    const { queue, started, running, finish } = manual(2);
    queue.add('a');
    queue.add('a');
    await finish('a', { result: 'RequeueAfter', milliseconds: 0 });
    expect([started.length, running.size, queue.running]).to.deep.equal([2, 1, 1]);
    await finish('a');
    expect(started.length).to.equal(2);
  });

  it('processes every key after its last change and never twice at a time, whatever happens in whatever order', async () => {
    const key = fc.constantFrom('a', 'b', 'c', 'd');
    const outcome: fc.Arbitrary<Outcome> = fc.oneof(
      fc.constant<Outcome>({ result: 'Done' }),
      fc.record({ result: fc.constant('RequeueAfter' as const), milliseconds: fc.integer({ min: -5, max: 500 }) }),
      fc.record({ result: fc.constant('Retry' as const), error: fc.constant(new Error('no')) }),
      fc.record({ result: fc.constant('Terminal' as const), error: fc.constant(new Error('no')) }),
    );
    const step = fc.oneof(
      fc.record({ do: fc.constant('add' as const), key }),
      fc.record({ do: fc.constant('addAfter' as const), key, milliseconds: fc.integer({ min: 0, max: 1_000 }) }),
      fc.record({ do: fc.constant('finish' as const), key, outcome }),
      fc.record({ do: fc.constant('advance' as const), milliseconds: fc.integer({ min: 0, max: 700 }) }),
    );
    const histories = fc.asyncProperty(fc.integer({ min: 1, max: 3 }), fc.array(step, { maxLength: 60 }), runHistory);
    await fc.assert(histories, { numRuns: 500 });
  });
});

type Step =
  | { do: 'add'; key: string }
  | { do: 'addAfter'; key: string; milliseconds: number }
  | { do: 'finish'; key: string; outcome: Outcome }
  | { do: 'advance'; milliseconds: number };

async function runHistory(concurrency: number, steps: Step[]): Promise<void> {
  const { clock, queue, started, running, finish } = manual(concurrency);
  // For every key, how many times it had been started when it was last asked for, and when it must start at the latest.
  const owed = new Map<string, { startsBefore: number; due: number }>();
  const starts = (key: string): number => started.filter((each) => each === key).length;
  const owe = (key: string, due: number): void => {
    const before = owed.get(key);
    const open = before !== undefined && starts(key) <= before.startsBefore;
    owed.set(key, { startsBefore: starts(key), due: Math.max(due, open ? before.due : 0) });
  };
  for (const step of steps) {
    if (step.do === 'advance') await clock.advance(step.milliseconds);
    if (step.do === 'add') {
      owe(step.key, clock.now());
      queue.add(step.key);
    }
    if (step.do === 'addAfter') {
      owe(step.key, clock.now() + step.milliseconds);
      queue.addAfter(step.key, step.milliseconds);
    }
    if (step.do === 'finish') await finish(step.key, step.outcome);
    expect(running.size).to.be.at.most(concurrency);
    expect(queue.running).to.equal(running.size);
  }
  // From here on everything succeeds at once: what is owed must come.
  for (let round = 0; round < 50; round++) {
    for (const key of [...running.keys()]) await finish(key);
    await clock.advance(1_000);
  }
  for (const [key, { startsBefore }] of owed) expect(starts(key), `starts of ${key}`).to.be.greaterThan(startsBefore);
  expect([queue.depth, queue.running, clock.pending]).to.deep.equal([0, 0, 0]);
}

describe('backoffDelay', () => {
  it('grows, stays between half and all of what is due, and never exceeds the cap', () => {
    const unit = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5_000 }), unit, (failures, random) => {
        const full = Math.min(backoff.capMilliseconds, backoff.baseMilliseconds * 2 ** (failures - 1));
        const delay = backoffDelay(backoff, failures, () => random);
        expect(delay).to.be.within(full / 2, full);
      }),
    );
  });
});
