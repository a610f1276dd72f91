import { expect } from 'chai';
import type { PhaseMigrationRun } from '../../api/resources.ts';
import { World } from '../decide/simulation/world.ts';
import { runnerJob } from './runner.ts';
import { verificationJobManifest } from './verification.ts';

describe('The pods of a run', () => {
  const run = new World('Up', 'Passes').run as PhaseMigrationRun;
  const [verification] = run.spec.plan.verification.jobs;
  const at = { epoch: 1, runnerAddress: '10.0.0.1' };
  const podsWith = (pullSecrets?: string[]) => {
    const runner = { image: 'runner:1', pullPolicy: 'IfNotPresent', pullSecrets } as const;
    const jobs = [runnerJob(run, 1, runner), verificationJobManifest(run, verification!, at, runner)];
    return jobs.map(({ spec }) => spec?.template.spec);
  };

  it('pull their images with the Secrets that the chart names', () => {
    for (const pod of podsWith(['registry'])) expect(pod?.imagePullSecrets).to.deep.equal([{ name: 'registry' }]);
    for (const pod of podsWith()) expect(pod).not.to.have.property('imagePullSecrets');
  });

  it('hold the URL of the database as the Secret has it now, and no token where none is needed', () => {
    const [runner, verificationPod] = podsWith();
    expect(runner?.volumes?.find(({ name }) => name === 'database-url')?.secret).to.include({
      secretName: 'db',
      optional: true,
    });
    expect(verificationPod?.automountServiceAccountToken).to.equal(false);
  });
});
