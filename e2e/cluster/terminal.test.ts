import { expect } from 'chai';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const terminal = JSON.stringify(join(import.meta.dirname, 'terminal.ts'));
const program = `import { main, withProgress } from ${terminal};
await main(() => withProgress('Cluster', (progress) => {
  progress('under way');
  return new Promise(() => setInterval(() => undefined, 1000));
}));`;

describe('Ctrl-C', function () {
  this.timeout(20_000);
  let folder: string;
  let child: ChildProcess | undefined;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'terminal-'));
  });
  afterEach(() => {
    // Its program goes with the terminal.
    child?.kill();
    return rm(folder, { recursive: true });
  });

  it('in a terminal says that nothing has to be tidied up, and gives the cursor back', async () => {
    const file = join(folder, 'program.mjs');
    await writeFile(file, program);
    // util-linux’s script gives the program a terminal of its own, whose keyboard is script’s input.
    const command = `stty columns 80 rows 24; exec '${process.execPath}' '${file}'`;
    const script = spawn('script', ['--quiet', '--return', '--command', command, '/dev/null']);
    child = script;
    let shown = '';
    let isInterrupted = false;
    script.stdout.setEncoding('utf8').on('data', (text: string) => {
      shown += text;
      if (isInterrupted || !shown.includes('under way')) return;
      isInterrupted = true;
      script.stdin.write('\x03');
    });
    const [code] = (await once(script, 'close')) as [number | null];
    expect(code).to.equal(130);
    expect(shown).to.contain('\x1b[?25l');
    expect(shown.lastIndexOf('\x1b[?25h')).to.be.greaterThan(shown.lastIndexOf('\x1b[?25l'));
    expect(shown).to.contain('Interrupted. What is half-done is recognised and repaired by the next command.');
  });
});
