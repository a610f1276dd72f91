import { expect } from 'chai';
import { isLocal, loadCommand } from './existing.ts';
import { hasCapability } from './offline/capabilities.ts';
import { basesOf } from './offline/base-image.ts';
import { providerFrom } from './provider.ts';
import { isRunning, ownerOf } from './throwaway.ts';

describe('which cluster is used', () => {
  it('is kind unless the environment says otherwise', () => {
    expect(providerFrom({})).to.equal('kind');
    expect(providerFrom({ PHASE_MIGRATION_CLUSTER: '' })).to.equal('kind');
    expect(providerFrom({ PHASE_MIGRATION_CLUSTER: 'existing' })).to.equal('existing');
  });

  it('is refused by name when there is no such provider', () => {
    expect(() => providerFrom({ PHASE_MIGRATION_CLUSTER: 'minikube' })).to.throw(
      /PHASE_MIGRATION_CLUSTER is 'minikube'.*kind.*existing/,
    );
  });
});

describe('an existing cluster', () => {
  it('is local only at an address of this machine', () => {
    for (const server of ['https://127.0.0.1:6443', 'https://localhost:1', 'https://[::1]:6443'])
      expect(isLocal(server), server).to.be.true;
    for (const server of ['https://10.0.0.1:6443', 'https://127.0.0.1.example.org', 'https://localhost.example.org'])
      expect(isLocal(server), server).to.be.false;
  });

  it('takes images by the door of its kind', () => {
    expect(loadCommand('kind-dev', {})).to.include.members(['kind', 'dev']);
    expect(loadCommand('minikube', {})).to.include('minikube');
    expect(loadCommand('production', {})).to.equal(undefined);
    expect(loadCommand('production', { PHASE_MIGRATION_IMAGES: 'present' })).to.deep.equal([]);
  });
});

describe('what is recognised on the machine', () => {
  it('is a capability by its bit in the bounding set', () => {
    const status = (set: string) => `CapPrm:\t0000000000000000\nCapBnd:\t${set}\nCapAmb:\t000001ffffffffff\n`;
    expect(hasCapability(status('000001ffffffffff'), 24n)).to.be.true;
    expect(hasCapability(status('000001fffeffffff'), 24n)).to.be.false;
    expect(() => hasCapability('', 24n)).to.throw('CapBnd');
  });

  it('is the base image that a Dockerfile starts from', () => {
    expect(
      basesOf('FROM debian:trixie-slim AS a\nFROM --platform=x docker.io/library/debian:bookworm-slim'),
    ).to.have.members(['trixie', 'bookworm']);
    expect(basesOf('# FROM debian:trixie-slim\nFROM scratch\nFROM my/debian:trixie-slim')).to.deep.equal([]);
  });

  it('is a throw-away folder by its owner, and an owner that is gone', () => {
    expect(ownerOf('phase-migration-postgres-4711-aB3xYz')).to.equal(4711);
    expect(ownerOf('phase-migration-notes')).to.equal(undefined);
    expect(isRunning(process.pid)).to.be.true;
    expect(isRunning(2 ** 22 + 1)).to.be.false;
  });
});
