import { expect } from 'chai';
import { kindOf } from './files.ts';
import { count, exitCode, report, seconds, summaryLine, type TestResult } from './results.ts';

const result = (outcome: TestResult['outcome'], title = 'title'): TestResult => ({ title, outcome, milliseconds: 1 });

describe('the summary of the tests', () => {
  it('names skipped tests only where there are any', () => {
    expect(summaryLine(count([result('passed'), result('passed')]))).to.equal('2 passed, 0 failed');
    expect(summaryLine(count([result('failed'), result('skipped')]))).to.equal('0 passed, 1 failed, 1 skipped');
  });

  it('is a success only if something passed and nothing failed', () => {
    expect(exitCode({ passed: 1, failed: 0, skipped: 1 })).to.equal(0);
    expect(exitCode({ passed: 1, failed: 1, skipped: 0 })).to.equal(1);
    expect(exitCode({ passed: 0, failed: 0, skipped: 3 })).to.equal(1);
  });

  it('repeats every failure with its message', () => {
    const results = [{ ...result('failed', 'it burns'), message: 'first\nsecond' }];
    const text = report([{ stage: 'unit', results, milliseconds: 61_000 }]);
    expect(text).to.contain('0 passed, 1 failed (1 min 1 s)');
    expect(text).to.contain('✖ unit: it burns\n      first\n      second');
  });

  it('gives times in seconds and minutes', () => {
    expect(seconds(1234)).to.equal('1.2 s');
    expect(seconds(125_000)).to.equal('2 min 5 s');
  });
});

describe('the kind of a test file', () => {
  const kinds = {
    'operator/api/crd.test.ts': 'unit',
    'operator/runner/fence.postgres.test.ts': 'postgres',
    'e2e/cluster/postgres.test.ts': 'postgres',
    'operator/api/crd.apiserver.test.ts': 'apiserver',
    'e2e/cluster/control-plane.test.ts': 'apiserver',
    'e2e/scenarios/success.scenario.ts': 'cluster',
    'operator/runner/postgres.ts': undefined,
    'operator/runner/mypostgres.test.ts': 'unit',
  };
  for (const [file, kind] of Object.entries(kinds))
    it(`of ${file} is ${kind ?? 'none'}`, () => expect(kindOf(file)).to.equal(kind));
});
