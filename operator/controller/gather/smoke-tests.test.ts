import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { plan } from '../../api/plan.ts';
import type { SmokeTest } from '../../api/plan.ts';
import type { KubeClient } from '../../kube/client.ts';
import { askSmokeTest, hostOf, judge } from './smoke-tests.ts';

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

describe('Asking a smoke test', () => {
  let server: Server;
  const serve = async (answer: RequestListener): Promise<SmokeTest> => {
    server = createServer(answer);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return { ...test, http: { ...test.http, port: (server.address() as AddressInfo).port } };
  };
  const ask = (asked: SmokeTest) => {
    const spec = { clusterIP: '127.0.0.1' };
    const get = () => Promise.resolve({ apiVersion: 'v1', kind: 'Service', metadata: { name: 'backend' }, spec });
    return askSmokeTest({ get } as unknown as KubeClient, 'shop', asked);
  };
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  it('reads the status and the body', async () => {
    const asked = await serve((_, response) => response.end('all is ok'));
    const { passed, answer } = await ask(asked);
    expect({ passed, answer }).to.deep.equal({
      passed: true,
      answer: `GET / on Service backend:${asked.http.port} answered 200`,
    });
  });

  it('does not follow a redirect', async () => {
    const asked = await serve((_, response) => response.writeHead(302, { location: '/ok' }).end('ok'));
    expect((await ask(asked)).answer).to.include('answered 302 instead of 200');
  });

  it('reads only the start of a body without an end', async () => {
    const asked = await serve((_, response) => {
      const write = () => {
        while (response.write('ok'.repeat(4096)));
      };
      response.on('drain', write);
      write();
    });
    expect((await ask(asked)).passed).to.equal(true);
  });

  it('gives up on a server that says nothing', async function () {
    this.timeout(10_000);
    const asked = await serve(() => {});
    expect((await ask(asked)).answer).to.match(/was not answered: not within 3 s$/);
  });

  it('gives up on a body that stops half-way', async function () {
    this.timeout(10_000);
    const asked = await serve((_, response) => response.write('o'));
    expect((await ask(asked)).answer).to.match(/was not answered: not within 3 s$/);
  });

  it('tells why nobody answers', async () => {
    const asked = await serve(() => {});
    await new Promise((resolve) => server.close(resolve));
    expect((await ask(asked)).answer).to.match(/was not answered: connect ECONNREFUSED 127\.0\.0\.1:\d+$/);
  });
});
