import { expect } from 'chai';
import fc from 'fast-check';
import { chooseRestorePoint, neededOnServer } from './restore-point-choice.ts';

const GIB = 1_073_741_824;

const room = fc.record({
  freeDiskFactor: fc.integer({ min: 1, max: 10 }),
  sizeBytes: fc.integer({ min: 1, max: 2 ** 45 }),
  serverFreeBytes: fc.option(fc.integer({ min: 0, max: 2 ** 48 }), { nil: undefined }),
});

describe('The choice of a restore point', () => {
  it('is the manifest’s own wherever it names one', () => {
    fc.assert(
      fc.property(room, fc.constantFrom('Template', 'Dump', 'None'), (around, wanted) => {
        expect(chooseRestorePoint({ ...around, wanted })).to.deep.equal({ method: wanted });
      }),
    );
  });

  it('never asks for more disk than there is while another method needs less', () => {
    fc.assert(
      fc.property(room, (around) => {
        const { method, because } = chooseRestorePoint({ ...around, wanted: 'Auto' });
        const free = around.serverFreeBytes ?? Infinity;
        const fits = (each: 'Template' | 'Dump') => free >= neededOnServer(each, { ...around, wanted: 'Auto' });
        expect(method === 'Dump').to.equal(!fits('Template') && fits('Dump'));
        expect(because !== undefined).to.equal(method === 'Dump');
      }),
    );
  });

  it('says why it is the slower one', () => {
    const around = { wanted: 'Auto' as const, freeDiskFactor: 2, sizeBytes: 10 * GIB, serverFreeBytes: 15 * GIB };
    expect(chooseRestorePoint(around).because).to.equal(
      'the server’s data directory has 15360 MiB free, and a clone needs 20480 MiB (2 × the database’s size)',
    );
  });
});
