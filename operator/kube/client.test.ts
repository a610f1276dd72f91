import { expect } from 'chai';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ApiError, ConnectionError, KubeClient, isConflict, isGone, isInvalid } from './client.ts';
import { errorFrom } from './harness.test.ts';
import { ConfigMap } from './resource-types.ts';

describe('KubeClient and servers that misbehave', () => {
  const servers: { close(): unknown }[] = [];
  afterEach(() => servers.splice(0).forEach((server) => server.close()));
  const clientOf = (port: number, timeoutMilliseconds?: number): KubeClient =>
    new KubeClient(
      () =>
        Promise.resolve({
          namespace: 'default',
          server: new URL(`http://127.0.0.1:${port}`),
          authorize: () => Promise.resolve({ headers: {}, tls: {} }),
        }),
      { timeoutMilliseconds },
    );
  const listen = async (server: Server | http.Server): Promise<number> => {
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return (server.address() as AddressInfo).port;
  };
  const answering = (handler: http.RequestListener): Promise<number> => listen(http.createServer(handler));
  const ref = { namespace: 'default', name: 'a' };

  it('says that the connection was refused', async () => {
    const port = await answering(() => undefined);
    servers.splice(0).forEach((server) => server.close());
    const refused = await errorFrom(clientOf(port).get(ConfigMap, ref));
    expect(refused).to.be.instanceOf(ConnectionError);
    expect(refused.message).to.match(/^GET \/api\/v1\/.*\/a got no answer from .*: the connection was refused/);
  });

  it('gives up on a server that accepts and never answers', async () => {
    const port = await listen(createServer(() => undefined));
    const late = await errorFrom(clientOf(port, 100).get(ConfigMap, ref));
    expect(late.message).to.contain('did not answer GET').and.contain('within 0.1 s');
  });

  it('gives up on a server that begins to answer and never ends', async () => {
    const port = await answering((_, response) => void response.writeHead(200).write('{"kind":'));
    const late = await errorFrom(clientOf(port, 100).get(ConfigMap, ref));
    expect(late).to.be.instanceOf(ConnectionError);
    expect(late.message).to.contain('within 0.1 s');
  });

  it('calls an answer that is cut off a failure, not an empty object', async () => {
    const port = await answering((_, response) => {
      response.writeHead(200, { 'content-length': 100 }).write('{"kind":');
      setTimeout(() => response.destroy(), 20);
    });
    expect(await errorFrom(clientOf(port).get(ConfigMap, ref))).to.be.instanceOf(ConnectionError);
  });

  const throttle = (times: number): http.RequestListener => {
    let calls = 0;
    return (_, response) => {
      calls += 1;
      if (calls > times) return void response.end('{"metadata":{}}');
      response.writeHead(429, { 'retry-after': '0' }).end('{"kind":"Status","reason":"TooManyRequests","code":429}');
    };
  };

  it('comes back after a 429 with Retry-After, for what may be repeated, and not for ever', async () => {
    const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata: ref };
    expect(await clientOf(await answering(throttle(2))).get(ConfigMap, ref)).to.deep.equal({ metadata: {} });
    const post = await errorFrom(clientOf(await answering(throttle(1))).create(ConfigMap, body));
    expect([post.code, post.retryAfterSeconds]).to.deep.equal([429, 0]);
    expect((await errorFrom(clientOf(await answering(throttle(99))).get(ConfigMap, ref))).code).to.equal(429);
  });

  it("ends a request with the signal's reason", async () => {
    const port = await listen(createServer(() => undefined));
    const reason = new Error('enough');
    const ended = errorFrom(clientOf(port).get(ConfigMap, ref, { signal: AbortSignal.timeout(50) }));
    expect((await ended).name).to.equal('TimeoutError');
    expect(await errorFrom(clientOf(port).get(ConfigMap, ref, { signal: AbortSignal.abort(reason) }))).to.equal(reason);
  });

  it('names a kubeconfig that does not exist, and the contexts of one without the wanted', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'kube-client-'));
    const file = join(directory, 'config');
    const missing = await errorFrom(KubeClient.fromKubeconfig(file).get(ConfigMap, ref));
    expect(missing.message).to.contain(file);
    const cluster = { name: 'c', cluster: { server: 'http://127.0.0.1:1' } };
    const contexts = [{ name: 'kind', context: { cluster: 'c', user: 'u' } }];
    writeFileSync(file, JSON.stringify({ clusters: [cluster], users: [{ name: 'u', user: {} }], contexts }));
    const wrong = await errorFrom(KubeClient.fromKubeconfig(file, 'production').get(ConfigMap, ref));
    expect(wrong.message).to.contain('no context "production"').and.contain('it has: kind.');
    rmSync(directory, { recursive: true });
  });

  it('knows an error of its own only', () => {
    expect([isConflict(new Error('x')), isGone(undefined), isInvalid('422')]).to.deep.equal([false, false, false]);
    expect(isConflict(new ApiError({ code: 409, reason: 'Conflict' }))).to.equal(true);
  });
});
