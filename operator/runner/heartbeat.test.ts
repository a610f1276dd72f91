import { mock } from 'node:test';
import { expect } from 'chai';
import { keepAlive } from './heartbeat.ts';
import type { Session } from './postgres/session.ts';

describe('The heartbeat', () => {
  let stop: () => void = () => undefined;
  let silences = 0;

  beforeEach(() => {
    mock.timers.enable({ apis: ['setInterval', 'setTimeout'] });
    silences = 0;
  });
  afterEach(() => {
    stop();
    mock.timers.reset();
  });

  /** Lets time pass, second by second, and what follows of each. */
  async function pass(seconds: number): Promise<void> {
    for (let second = 1; second <= seconds; second++) {
      mock.timers.tick(1000);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** A session that answers in turn; after that never again. */
  function listenTo(answers: (() => Promise<unknown>)[]): void {
    const query = () => answers.shift()?.() ?? new Promise(() => undefined);
    stop = keepAlive({ query } as unknown as Session, () => silences++);
  }

  const answer = () => Promise.resolve([]);
  const refusal = () => Promise.reject(new Error('canceling statement due to user request'));

  it('hears a session that answers', async () => {
    listenTo(Array.from({ length: 100 }, () => answer));
    await pass(120);
    expect(silences).equal(0);
  });

  it('tells when a session has not answered for 20 s', async () => {
    listenTo([answer, answer]);
    await pass(34);
    expect(silences).equal(0);
    await pass(2);
    expect(silences).equal(1);
  });

  it('goes on after a question that was refused', async () => {
    listenTo([refusal, answer]);
    await pass(36);
    expect(silences).equal(1);
  });
});
