import { connect } from 'node:net';
import { once } from 'node:events';
import { expect } from 'chai';
import { messageOf } from './message-of.ts';

describe('The sentence of a failure', () => {
  it('tells every address of a name that nobody answers at', async () => {
    const lookup = (_name: string, _options: object, found: (error: null, addresses: object[]) => void) =>
      found(null, [
        { address: '127.0.0.1', family: 4 },
        { address: '127.0.0.2', family: 4 },
      ]);
    const [error] = (await once(connect({ host: 'two', port: 1, lookup: lookup as never }), 'error').catch(
      (thrown: unknown) => [thrown],
    )) as unknown[];
    expect(messageOf(error)).to.equal('connect ECONNREFUSED 127.0.0.1:1; connect ECONNREFUSED 127.0.0.2:1');
  });

  it('hides a password', () => {
    expect(messageOf(new Error('postgres://a:secret@db is away'))).to.equal('postgres://a:***@db is away');
    expect(messageOf('no error')).to.equal('no error');
  });
});
