import { expect } from 'chai';
import { CallCounter, callOf } from './calls.ts';

describe('What a request is to the fault sweep', () => {
  const runs = '/apis/phasemigration.io/v1alpha1/namespaces/a/phasemigrationruns';

  it('is named by verb, resource and subresource', () => {
    expect(callOf('POST', runs)).to.deep.equal({ class: 'Work', name: 'create-run' });
    expect(callOf('PATCH', `${runs}/pm-1/status`)).to.deep.equal({ class: 'Work', name: 'patch-run-status' });
    expect(callOf('PATCH', '/apis/apps/v1/namespaces/a/deployments/b/scale')?.name).to.equal('patch-deployment-scale');
    expect(callOf('DELETE', '/apis/batch/v1/namespaces/a/jobs/pm-1-runner-1')?.name).to.equal('delete-job');
  });

  it('tells renewals of Leases and Events from work', () => {
    expect(callOf('PUT', '/apis/coordination.k8s.io/v1/namespaces/a/leases/operator')?.class).to.equal('Lease');
    expect(callOf('POST', '/apis/events.k8s.io/v1/namespaces/a/events')?.class).to.equal('Event');
  });

  it('is nothing where nothing is changed', () => {
    expect(callOf('GET', `${runs}/pm-1`)).to.equal(undefined);
    expect(callOf('POST', '/version')).to.equal(undefined);
  });

  it('has a number among those of its name', () => {
    const counter = new CallCounter();
    expect(['a', 'b', 'a'].map((name) => counter.next(name))).to.deep.equal(['a.1', 'b.1', 'a.2']);
  });
});
