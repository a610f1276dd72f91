import { spawn, type ChildProcess } from 'node:child_process';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';

export interface OperatorOptions {
  /** The bundled program that is started first. */
  program: string;
  /** Path of a kubeconfig that leads to the proxy. */
  kubeconfig: string;
  /** The proxy, which smoke tests go through, too. */
  proxyUrl: string;
  namespace: string;
}

const LOG_LINES = 60;
/** The kubelet starts a container that has ended again. */
const RESTART_MILLISECONDS = 300;

/** The real operator as a process of its own, for one namespace; started again whenever it has ended. */
export class OperatorProcess {
  /** Its last words, for a failure's report. */
  readonly log: string[] = [];
  /** Ends that nobody here had asked for. */
  readonly ends: string[] = [];
  starts = 0;
  /** The bundled program that the next start is of. */
  program: string;
  private readonly options: OperatorOptions;
  private child: ChildProcess | undefined;
  private frozen: ChildProcess | undefined;
  private stopping = false;
  private killed = false;

  constructor(options: OperatorOptions) {
    this.options = options;
    this.program = options.program;
  }

  start(): void {
    if (this.stopping) return;
    this.starts += 1;
    const { program } = this;
    const { kubeconfig, proxyUrl, namespace } = this.options;
    const child = spawn('setpriv', ['--pdeathsig=KILL', '--', process.execPath, program], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: {
        PATH: process.env.PATH,
        HOME: process.env.HOME,
        KUBECONFIG: kubeconfig,
        POD_NAME: `operator-${this.starts}`,
        POD_NAMESPACE: namespace,
        WATCH_NAMESPACES: namespace,
        RUNNER_IMAGE: 'runner:1',
        // Nobody asks; the kernel picks two that are free.
        HEALTH_PORT: '0',
        METRICS_PORT: '0',
        // Hundreds of starts of the same program.
        NODE_COMPILE_CACHE: join(dirname(program), 'compile-cache'),
        // The way of smoke tests only: the API client uses no proxy.
        NODE_USE_ENV_PROXY: '1',
        HTTP_PROXY: proxyUrl,
        NO_PROXY: '127.0.0.1',
      },
    });
    this.child = child;
    this.killed = false;
    let lastWord = 'no word';
    createInterface({ input: child.stderr }).on('line', (line) => {
      lastWord = line;
      this.log.push(line);
      if (this.log.length > LOG_LINES) this.log.shift();
    });
    // Not `exit`: its last word may still be on its way then, and another replica's would be taken for it.
    child.once('close', (code, signal) => void this.onEnd(child, `exit code ${code ?? signal}: ${lastWord}`));
  }

  /** As the kernel does when memory is short: at once, in the middle of anything. Resolves when it is gone. */
  async kill(): Promise<void> {
    this.killed = true;
    await this.end();
  }

  /** Stops it in the middle of anything, and starts another replica. Returns what wakes it up. */
  freeze(): () => void {
    const { child } = this;
    if (!child) throw new Error('there is no operator');
    child.kill('SIGSTOP');
    this.frozen = child;
    this.start();
    return () => child.kill('SIGCONT');
  }

  /** For good. */
  async stop(): Promise<void> {
    this.stopping = true;
    await Promise.all([this.end(), this.end(this.frozen)]);
  }

  private async end(child = this.child): Promise<void> {
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  }

  private async onEnd(child: ChildProcess, end: string): Promise<void> {
    if (this.stopping) return;
    if (!this.killed || child === this.frozen) this.ends.push(end);
    // The replica that took its place goes on alone.
    if (child === this.frozen) return;
    await delay(RESTART_MILLISECONDS);
    this.start();
  }
}
