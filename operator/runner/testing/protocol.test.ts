import { expect } from 'chai';
import fc from 'fast-check';
import { ClientMessages, ServerMessages } from './protocol.ts';

function message(type: string, body: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeInt32BE(body.length + 4);
  return Buffer.concat([Buffer.from(type), length, body]);
}

function startup(parameters: Record<string, string>): Buffer {
  const words = Object.entries(parameters).flatMap(([name, value]) => [name, value]);
  const body = Buffer.concat([Buffer.from([0, 3, 0, 0]), Buffer.from([...words, '', ''].join('\0').slice(0, -1))]);
  return message('', body);
}

const encryption = message('', Buffer.from([0x04, 0xd2, 0x16, 0x2f]));

/** The bytes in pieces as a network may deliver them. */
function inPieces(bytes: Buffer, cuts: number[]): Buffer[] {
  const places = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((one, other) => one - other);
  return [0, ...places].map((from, index) => bytes.subarray(from, places[index] ?? bytes.length));
}

const cuts = fc.array(fc.nat(), { maxLength: 12 });
const word = fc.stringMatching(/^[a-zä]{1,12}$/);

describe('Messages of PostgreSQL’s protocol', () => {
  it('of a client are found whatever pieces they come in', () => {
    fc.assert(
      fc.property(fc.array(word), word, cuts, (queries, user, at) => {
        const sent = [
          encryption,
          startup({ user, application_name: 'x' }),
          ...queries.map((query) => message('Q', Buffer.from(`${query}\0`))),
          ...queries.map((query) => message('P', Buffer.from(`name\0${query}\0\0\0`))),
          message('X', Buffer.alloc(0)),
        ];
        const split = new ClientMessages();
        const found = inPieces(Buffer.concat(sent), at).flatMap((piece) => split.push(piece));
        expect(Buffer.concat(found.map(({ bytes }) => bytes)).equals(Buffer.concat(sent))).to.equal(true);
        expect(found[0]?.asksForEncryption).to.equal(true);
        expect(found[1]?.startup).to.deep.equal({ user, application_name: 'x' });
        expect(found.flatMap(({ query }) => query ?? [])).to.deep.equal([...queries, ...queries]);
      }),
    );
  });

  it('of a server are found whatever pieces they come in, after the byte that is none', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array()), cuts, (bodies, at) => {
        const sent = [Buffer.from('N'), ...bodies.map((body) => message('D', Buffer.from(body)))];
        const split = new ServerMessages();
        split.expectSingleByte();
        const found = inPieces(Buffer.concat(sent), at).flatMap((piece) => split.push(piece));
        expect(found.map(({ type }) => type)).to.deep.equal(['', ...bodies.map(() => 'D')]);
        expect(Buffer.concat(found.map(({ bytes }) => bytes)).equals(Buffer.concat(sent))).to.equal(true);
      }),
    );
  });
});
