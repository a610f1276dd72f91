import { expect } from 'chai';
import type { PhaseMigrationRun } from '../../api/resources.ts';
import type { Pod } from '../../kube/resource-types.ts';
import { World } from '../decide/simulation/world.ts';
import { runnerJob } from '../manifests/runner.ts';
import { jobsOf } from './jobs.ts';
import { surroundingsOf } from './surroundings.ts';

describe('jobsOf', () => {
  it('leaves out the Jobs of an earlier run of the same name', () => {
    const run = new World().run as PhaseMigrationRun;
    const earlier: PhaseMigrationRun = { ...run, metadata: { ...run.metadata, uid: 'earlier' } };
    const image = { image: 'runner:1', pullPolicy: 'IfNotPresent' } as const;
    const jobs = [runnerJob(earlier, 1, image), runnerJob(run, 2, image)];
    expect(jobsOf(surroundingsOf(run), jobs, []).runnerJobs.map(({ epoch }) => epoch)).to.deep.equal([2]);
  });

  it('takes the newest pod of a Job, and no other Job’s', () => {
    const run = new World().run as PhaseMigrationRun;
    const job = runnerJob(run, 1, { image: 'runner:1', pullPolicy: 'IfNotPresent' });
    job.metadata.uid = 'job';
    const pod = (name: string, owner: string, creationTimestamp: string): Pod => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        name,
        creationTimestamp,
        ownerReferences: [{ apiVersion: 'batch/v1', kind: 'Job', name: owner, uid: owner }],
      },
    });
    const pods = [
      pod('new', 'job', '2026-01-31T22:00:02Z'),
      pod('old', 'job', '2026-01-31T22:00:01Z'),
      pod('other', 'other', '2026-01-31T22:00:03Z'),
    ];
    expect(jobsOf(surroundingsOf(run), [job], pods).runnerJobs[0]?.pod?.name).to.equal('new');
  });
});
