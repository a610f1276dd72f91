import { expect } from 'chai';
import { readFileSync } from 'node:fs';
import { memoryIn } from './process-memory.ts';

describe('memoryIn', () => {
  it('reads resident and highest memory in megabytes', () => {
    expect(memoryIn('Name:\tnode\nVmHWM:\t  100000 kB\nVmRSS:\t   50000 kB\n')).to.deep.equal({
      residentMegabytes: 51,
      peakMegabytes: 102,
    });
  });

  it('reads what this kernel writes about this process', () => {
    const { residentMegabytes, peakMegabytes } = memoryIn(readFileSync('/proc/self/status', 'utf8'));
    expect(residentMegabytes).to.be.within(10, peakMegabytes);
  });

  it('says which line is missing', () => {
    expect(() => memoryIn('Name:\tnode\n')).to.throw('VmRSS');
  });
});
