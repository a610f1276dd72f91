import { expect } from 'chai';
import { readFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { Agent, fetch } from 'undici';
import { ensureControlPlaneBinaries, startControlPlane, type ControlPlane } from './control-plane.ts';

describe('a throw-away control plane', function () {
  this.timeout(120_000);
  let controlPlane: ControlPlane;
  before(async function () {
    this.timeout(0);
    await ensureControlPlaneBinaries((line) => console.log(`      ${line} …`));
    controlPlane = await startControlPlane();
  });
  after(() => controlPlane.stop());

  async function get(path: string, token = controlPlane.adminToken) {
    const dispatcher = new Agent({ connect: { ca: await readFile(controlPlane.certificateAuthority) } });
    const response = await fetch(controlPlane.url + path, {
      dispatcher,
      headers: { authorization: `Bearer ${token}` },
    });
    const body = (await response.json()) as { gitVersion?: string; reason?: string };
    await dispatcher.close();
    return { status: response.status, body };
  }

  it('is the Kubernetes that the cluster has', async () => {
    expect((await get('/version')).body.gitVersion).to.equal('v1.34.4');
  });

  it('lets only the administrator in', async () => {
    expect((await get('/api/v1/secrets')).status).to.equal(200);
    expect((await get('/api/v1/secrets', 'wrong')).status).to.equal(401);
  });

  it('has the service account without which no pod can be created', async () => {
    expect((await get('/api/v1/namespaces/default/serviceaccounts/default')).status).to.equal(200);
  });

  it('runs beside another one, and leaves nothing behind', async () => {
    const other = await startControlPlane({ controllerManager: false });
    expect(other.url).not.to.equal(controlPlane.url);
    await other.stop();
    expect(existsSync(other.kubeconfig)).to.be.false;
    const refusal = await fetch(other.url).catch((error: unknown) => error as Error);
    expect(refusal).to.be.instanceOf(Error).with.nested.property('cause.code', 'ECONNREFUSED');
  });
});
