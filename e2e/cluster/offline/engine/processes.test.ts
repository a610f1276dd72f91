import { expect } from 'chai';
import { spawn } from 'node:child_process';
import { endProcess, parseStat, withDescendants } from './processes.ts';
import { isRunning } from '../../throwaway.ts';

describe('the processes of an engine', () => {
  it('are read from the kernel whatever their programs are called', () => {
    expect(parseStat('42 (a) S) R 7 42 42 0')).to.deep.equal({ pid: 42, program: 'a) S', parent: 7 });
    expect(parseStat('')).to.equal(undefined);
  });

  it('include children of children, and nobody else', () => {
    const all = [
      { pid: 5, parent: 4, program: 'grandchild' },
      { pid: 4, parent: 3, program: 'child' },
      { pid: 3, parent: 1, program: 'root' },
      { pid: 6, parent: 1, program: 'stranger' },
    ];
    expect(withDescendants([3], all)).to.have.members([3, 4, 5]);
  });

  it('are gone when ending them has resolved', async () => {
    const child = spawn('sleep', ['1000'], { stdio: 'ignore' });
    await endProcess(child.pid!, 'SIGTERM');
    expect(isRunning(child.pid!)).to.be.false;
  });
});
