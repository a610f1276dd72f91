import { expect } from 'chai';
import { identityOf, ownIdentity } from './identity.ts';

describe('the identity of a clone', () => {
  it('differs between clones in everything, even when one path begins with the other', () => {
    const one = identityOf('/home/a/clone', '/cache');
    const other = identityOf('/home/a/clone2', '/cache');
    for (const key of ['clone', 'name', 'stateFolder', 'runFolder'] as const) expect(one[key]).not.to.equal(other[key]);
  });

  it('is the same each time', () => {
    expect(identityOf('/home/a/clone', '/cache')).to.deep.equal(identityOf('/home/a/clone', '/cache'));
    expect(ownIdentity()).to.deep.equal(ownIdentity());
  });

  it('fits the names of network devices and the paths of sockets', () => {
    const { name, runFolder } = identityOf(`/${'long/'.repeat(100)}`, '/cache');
    expect(name).to.match(/^[a-z][a-z0-9-]{0,14}$/);
    expect(`${runFolder}/containerd/containerd-debug.sock`.length).to.be.below(108);
  });
});
