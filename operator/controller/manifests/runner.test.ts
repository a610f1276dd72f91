import { expect } from 'chai';
import type { PhaseMigrationRun } from '../../api/resources.ts';
import { World } from '../decide/simulation/world.ts';
import { runnerJob } from './runner.ts';
import { verificationJobManifest } from './verification.ts';

describe('The pods of a run', () => {
  const run = new World('Up', 'Passes').run as PhaseMigrationRun;
  const [verification] = run.spec.plan.verification.jobs;
  const at = { epoch: 1, runnerAddress: '10.0.0.1' };
  const jobsWith = (pullSecrets?: string[]) => {
    const runner = { image: 'runner:1', pullPolicy: 'IfNotPresent', pullSecrets } as const;
    return [runnerJob(run, 1, runner), verificationJobManifest(run, verification!, at, runner)];
  };
  const podsWith = (pullSecrets?: string[]) => jobsWith(pullSecrets).map(({ spec }) => spec?.template.spec);

  it('do not hold up a foreground deletion of their run', () => {
    for (const job of jobsWith()) {
      const [owner] = job.metadata?.ownerReferences ?? [];
      expect(owner).to.include({ name: run.metadata.name, controller: true });
      expect(owner).not.to.have.property('blockOwnerDeletion');
    }
  });

  it('pull their images with the Secrets that the chart names', () => {
    for (const pod of podsWith(['registry'])) expect(pod?.imagePullSecrets).to.deep.equal([{ name: 'registry' }]);
    for (const pod of podsWith()) expect(pod).not.to.have.property('imagePullSecrets');
  });

  it('know the keys of the bucket where the plan names a Secret, and only the runner', () => {
    const credentials = (pod: ReturnType<typeof podsWith>[number]) =>
      pod?.containers[0]?.env?.filter(({ name }) => name.startsWith('AWS_')).map(({ valueFrom }) => valueFrom);
    const { backup } = run.spec.plan;
    try {
      run.spec.plan.backup = { ...backup, s3: { bucket: 'backups', region: 'eu-west-1', secretRef: { name: 'keys' } } };
      const [runner, verificationPod] = podsWith();
      expect(credentials(runner)).to.deep.equal([
        { secretKeyRef: { name: 'keys', key: 'AWS_ACCESS_KEY_ID' } },
        { secretKeyRef: { name: 'keys', key: 'AWS_SECRET_ACCESS_KEY' } },
        { secretKeyRef: { name: 'keys', key: 'AWS_SESSION_TOKEN', optional: true } },
      ]);
      expect(credentials(verificationPod)).to.deep.equal([]);
    } finally {
      run.spec.plan.backup = backup;
    }
    expect(credentials(podsWith()[0])).to.deep.equal([]);
  });

  it('know what people call the cluster, where the chart says it', () => {
    const namesIn = (clusterName: string) =>
      runnerJob(run, 1, { image: 'runner:1', pullPolicy: 'IfNotPresent', clusterName })
        .spec?.template.spec?.containers[0]?.env?.filter(({ name }) => name === 'CLUSTER_NAME')
        .map(({ value }) => value);
    expect(namesIn('staging')).to.deep.equal(['staging']);
    expect(namesIn('')).to.deep.equal([]);
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
