import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { execa } from 'execa';
import { endsWithUs } from '../cluster/ends-with-us.ts';
import { silent, type Progress } from '../cluster/progress.ts';

const buildAhead = join(import.meta.dirname, 'build-ahead.ts');

/** A process beside the tests, at the lowest priority, that builds what later stages need. */
export class BuildBeside {
  readonly #ending = new AbortController();
  readonly #ended: Promise<unknown>;
  #tell: Progress = silent;

  /** @param stages names, in the order of their turns; what of it is there already takes no time */
  constructor(stages: string[], program = buildAhead) {
    const [command, ...args] = [
      ...endsWithUs('TERM'),
      process.execPath,
      '--disable-warning=ExperimentalWarning',
      program,
      ...stages,
    ];
    const child = execa(command as string, args, {
      stdin: 'ignore',
      buffer: false,
      reject: false,
      cancelSignal: this.#ending.signal,
    });
    createInterface({ input: child.stdout }).on('line', (line) => this.#tell(line));
    child.stderr.resume();
    this.#ended = child;
  }

  /** While `work` goes on, which may have to wait for what is being built, its progress is told. */
  async tellingDuring<T>(tell: Progress, work: () => Promise<T>): Promise<T> {
    this.#tell = tell;
    try {
      return await work();
    } finally {
      this.#tell = silent;
    }
  }

  /** Ends it; what is half-built is recognised and repaired by the next command. */
  async end(): Promise<void> {
    this.#ending.abort();
    await this.#ended;
  }
}
