import { expect } from 'chai';
import { plan } from '../../api/plan.ts';
import type { SmokeTest } from '../../api/plan.ts';
import { hostOf, judge } from './smoke-tests.ts';

const [test] = plan.parse({
  database: { urlSecretRef: { name: 'db' } },
  migrations: { image: 'm:2', from: 'a', to: 'b' },
  workloads: [{ kind: 'Deployment', name: 'backend' }],
  backup: { claimName: 'backups' },
  smokeTests: [{ name: 'alive', http: { service: 'backend', port: 80, expectedBody: 'ok' } }],
}).smokeTests as [SmokeTest];

describe('A smoke test', () => {
  it('tells what was answered instead, without a password that stands in it', () => {
    const answer = judge(test, 'GET /', 500, 'no connection to postgres://planner:hunter2@db/planner');
    expect(answer).to.deep.equal({
      passed: false,
      answer: 'GET / answered 500 instead of 200: no connection to postgres://planner:***@db/planner',
    });
  });

  it('passes with the status and the body that are expected, and with nothing else', () => {
    expect(judge(test, 'GET /', 200, 'is ok').passed).to.equal(true);
    expect(judge(test, 'GET /', 200, 'is not').passed).to.equal(false);
  });

  const service = (spec: object) => ({ apiVersion: 'v1', kind: 'Service', metadata: { name: 'backend' }, spec });

  it('asks the Service’s own address, and nothing outside the cluster', () => {
    expect(hostOf(service({ clusterIP: '10.0.0.1' }), 'shop')).to.equal('10.0.0.1');
    expect(hostOf(service({ clusterIP: 'fd00::1' }), 'shop')).to.equal('[fd00::1]');
    expect(hostOf(service({ clusterIP: 'None' }), 'shop')).to.equal('backend.shop.svc');
    expect(hostOf(service({ type: 'ExternalName', externalName: 'example.org' }), 'shop')).to.equal(undefined);
  });
});
