import { expect } from 'chai';
import { runMocha } from './mocha.ts';

describe('a run of mocha', function () {
  this.timeout(60_000);
  const run = (name: string, signal = new AbortController().signal) =>
    runMocha({
      files: [`e2e/suite/fixtures/${name}.fixture.ts`],
      timeoutMs: 5000,
      lingerMs: 500,
      output: 'ignore',
      signal,
    });
  const outcomes = async (name: string) => (await run(name)).map(({ title, outcome }) => `${outcome}: ${title}`);

  it('gives every result', async () => {
    expect(await outcomes('mixed')).to.deep.equal([
      'passed: mixed › passes',
      'failed: mixed › fails',
      'skipped: mixed › is skipped',
    ]);
  });

  it('counts a failed hook', async () => {
    expect(await outcomes('hook')).to.deep.equal(['failed: hook › "before all" hook for "never runs"']);
  });

  it('counts a process that died, and keeps what it had reported', async () => {
    expect(await outcomes('crash')).to.deep.equal(['passed: crash › passes', 'failed: the test process']);
  });

  it('counts a file that cannot be loaded', async () => {
    expect(await outcomes('broken')).to.deep.equal(['failed: the test process']);
  });

  it('ends and counts a process that a test keeps alive', async () => {
    expect(await outcomes('lingering')).to.deep.equal([
      'passed: lingering › leaves a server open',
      'failed: the test process',
    ]);
  });

  it('ends the process when it is told to', async () => {
    const interruption = new AbortController();
    const results = run('lingering', interruption.signal);
    interruption.abort();
    expect(await results).to.deep.equal([]);
  });
});
