import { expect } from 'chai';
import fc from 'fast-check';
import { decideRun } from './run.ts';
import { runnerStep } from './simulation/runner.ts';
import { operatorPass, settleDown } from './simulation/play.ts';
import { World } from './simulation/world.ts';
import { verificationJobName } from './verification-jobs.ts';

/** RFC 1123 subdomain. */
const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const part = fc.stringMatching(/^[a-z0-9]{1,9}$/);
const name = (maxLength: number) =>
  fc.tuple(part, fc.array(fc.tuple(fc.constantFrom('-', '.', '--'), part), { maxLength: 20 })).map(([first, rest]) =>
    [first, ...rest.flat()]
      .join('')
      .slice(0, maxLength)
      .replace(/[-.]+$/, ''),
  );

describe('verificationJobName', () => {
  it('is always a name that a Job may have', () => {
    fc.assert(
      fc.property(name(44), name(63), fc.integer({ min: 1, max: 12 }), (run, verification, epoch) => {
        const made = verificationJobName(run, verification, epoch);
        expect(made.length).to.be.lessThanOrEqual(63);
        expect(made).to.match(SUBDOMAIN);
      }),
    );
  });

  it('differs for long names that only differ at their end, and for every start', () => {
    const long = 'figures-of-the-staging-environment-';
    const names = ['one', 'two'].flatMap((end) =>
      [1, 2, 11, 12].map((epoch) => verificationJobName('a-migration-with-a-long-name-12', `${long}${end}`, epoch)),
    );
    expect(new Set(names).size).to.equal(names.length);
  });
});

describe('trackVerification', () => {
  /** The verification Job stands at its gate, and nothing else has happened. */
  function atTheGate(): World {
    const world = new World('Up', 'Passes');
    world.migration.spec.suspend = true;
    for (let round = 0; round < 20; round++) {
      operatorPass(world);
      runnerStep(world, new Set());
    }
    return world;
  }

  it('replaces a Job that ended at its gate before anybody was let in, and begins no outage without it', () => {
    const world = atTheGate();
    const [job] = world.verificationJobs;
    if (!job?.pod) throw new Error('there is no verification Job');
    job.finished = 'Failed';
    job.pod.failed = true;
    world.migration.spec.suspend = false;
    const decision = decideRun(world.observe()!);
    expect(decision.actions).to.deep.equal([{ kind: 'DeleteJob', name: job.name }]);
    expect(decision.status?.verificationJobs?.[0]?.state).to.equal('Waiting');
    expect(decision.status?.workloads).to.equal(undefined);
    settleDown(world, new Set());
    expect(world.run?.status?.outcome).to.equal('Succeeded');
  });

  it('makes and follows the Jobs of a runner that was started in the middle of the outage', () => {
    const world = atTheGate();
    world.migration.spec.suspend = false;
    const isMigrating = () => world.run?.status?.runner?.steps?.some(({ name }) => name === 'Fence') ?? false;
    for (let round = 0; round < 100 && !isMigrating(); round++) {
      operatorPass(world);
      runnerStep(world, new Set());
      world.clusterStep();
    }
    world.killRunner();
    settleDown(world, new Set());
    expect(world.run?.status?.verificationJobs).to.have.length(1);
    expect(world.run?.status?.verificationJobs?.[0]).to.include({ epoch: 2, state: 'Succeeded' });
    expect(world.run?.status?.outcome).to.equal('Succeeded');
  });
});
