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
  function listenTo(
    answers: (() => Promise<unknown>)[],
    isAtWork: () => Promise<boolean> = () => Promise.resolve(false),
  ): void {
    const query = () => answers.shift()?.() ?? new Promise(() => undefined);
    stop = keepAlive({ query } as unknown as Session, { isAtWork, onSilence: () => silences++ });
  }

  const answer = () => Promise.resolve([]);
  const refusal = () => Promise.reject(new Error('canceling statement due to user request'));

  it('hears a session that answers', async () => {
    listenTo(Array.from({ length: 100 }, () => answer));
    await pass(120);
    expect(silences).equal(0);
  });

  const never = () => new Promise<never>(() => undefined);
  const unreachable = () => Promise.reject(new Error('cannot reach database "postgres"'));

  for (const [what, isAtWork] of Object.entries({ 'is not asked in time': never, 'cannot be asked': unreachable }))
    it(`tells within 20 s that a session does not answer, and the server ${what}`, async () => {
      listenTo([answer, answer], isAtWork);
      await pass(29);
      expect(silences).equal(0);
      await pass(7);
      expect(silences).equal(1);
    });

  it('is patient while the server is at work on a statement, and no longer', async () => {
    let isBusy = true;
    listenTo([answer], () => Promise.resolve(isBusy));
    await pass(300);
    expect(silences).equal(0);
    isBusy = false;
    await pass(20);
    expect(silences).equal(1);
  });

  it('does not doubt a session that answers while somebody else is asked about it', async () => {
    let answerNow: () => void = () => undefined;
    const late = () => new Promise<void>((resolve) => (answerNow = resolve));
    listenTo([late, ...Array.from({ length: 100 }, () => answer)], never);
    await pass(22);
    answerNow();
    await pass(60);
    expect(silences).equal(0);
  });

  it('goes on after a question that was refused', async () => {
    listenTo([refusal, answer]);
    await pass(36);
    expect(silences).equal(1);
  });
});
