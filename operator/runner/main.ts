import { existsSync, readFileSync } from 'node:fs';
import { Command } from 'commander';
import { redact } from '../kube/redact.ts';
import { messageOf } from '../kube/message-of.ts';
import { Gate, waitAtGate } from './gate.ts';

const DEFAULT_GATE_PORT = '8099';

// Each command loads only what it needs: `gate` runs beside every verification Job in a few megabytes.

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** A required environment variable of `run`: the operator sets them all. */
function required(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`the environment variable ${name} is not set`);
  return value;
}

/** The kubelet keeps the files of a mounted Secret up to date; what was in the environment at the start stays as it was. */
function readIfThere(path: string | undefined): string | undefined {
  if (path === undefined || !existsSync(path)) return undefined;
  return readFileSync(path, 'utf8').trim();
}

/** Works on one PhaseMigrationRun until it is finished. */
async function run(): Promise<void> {
  const [{ KubeClient }, { createLogger }, { KubeRunPort }, { runRunner }] = await Promise.all([
    import('../kube/client.ts'),
    import('../kube/logger.ts'),
    import('./kube-port.ts'),
    import('./run.ts'),
  ]);
  const logger = createLogger();
  const epoch = Number(required('RUN_EPOCH'));
  if (!Number.isInteger(epoch) || epoch < 1) throw new Error('RUN_EPOCH is not a number from 1');
  const ref = { namespace: required('RUN_NAMESPACE'), name: required('RUN_NAME') };
  const urlAtStart = process.env.DATABASE_URL;
  // Nothing that this process starts inherits it.
  delete process.env.DATABASE_URL;
  const databaseUrl = () => readIfThere(process.env.DATABASE_URL_FILE) ?? urlAtStart;
  const stopping = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stopping.abort());
  const client = KubeClient.fromDefault({ userAgent: 'phasemigration-runner' });
  const gate = new Gate();
  await gate.listen(Number(process.env.GATE_PORT ?? DEFAULT_GATE_PORT));
  try {
    const end = await runRunner({
      port: new KubeRunPort(client, ref, { epoch, logger }),
      ...{ databaseUrl, epoch, logger, gate },
      podName: process.env.POD_NAME,
      podAddress: process.env.POD_IP,
      clusterName: process.env.CLUSTER_NAME,
      folders: { migrations: process.env.MIGRATIONS_DIR ?? '/migrations', backup: process.env.BACKUP_DIR ?? '/backup' },
      signal: stopping.signal,
    });
    // Of what the kernel counts: its own pages alone would leave out WebAssembly's.
    const peakMegabytes = Math.round((process.resourceUsage().maxRSS * 1024) / 1e6);
    logger.info(`The runner ends: ${end}.`, { peakMegabytes });
    // Asked to end before the work was done: the Job must start another pod.
    const TERMINATED = 143;
    if (end === 'Stopped') process.exitCode = TERMINATED;
  } finally {
    await gate.close();
    client.close();
  }
}

const program = new Command('runner')
  .description('Carries out the database side of a PhaseMigrationRun.')
  .showHelpAfterError();

program.command('run').description('work on the run that the environment names').action(run);

program
  .command('gate')
  .description('wait until the runner lets verification begin')
  .argument('<url>', 'the runner’s http://<address>:<port>/released')
  .option('--timeout <seconds>', 'how long to wait at most', '3600')
  .action((url: string, options: { timeout: string }) => waitAtGate(url, Number(options.timeout) * 1000));

program
  .command('migrate')
  .description('migrate the database of DATABASE_URL by hand, outside any run')
  .requiredOption('--to <revision>', 'the revision to go to')
  .option('--down', 'undo migrations instead of applying them', false)
  .option('--dir <folder>', 'folder of the migration files', process.env.MIGRATIONS_DIR ?? '/migrations')
  .option('--baseline <revision>', 'declare everything up to this revision to be there already')
  .option('--maintenance-database <name>', 'another database of the server, in which the lock is held', 'postgres')
  .action(
    async (options: { to: string; down: boolean; dir: string; baseline?: string; maintenanceDatabase: string }) => {
      const { to, down, dir, baseline, maintenanceDatabase } = options;
      const direction = down ? 'down' : 'up';
      const databaseUrl = process.env.DATABASE_URL;
      const { migrateByHand } = await import('./by-hand.ts');
      await migrateByHand({
        databaseUrl,
        maintenanceDatabase,
        folder: dir,
        to,
        direction,
        print,
        ...(baseline ? { baseline } : {}),
      });
    },
  );

program
  .command('status')
  .description('print the ledger of the database of DATABASE_URL')
  .action(async () => {
    const { printLedger } = await import('./by-hand.ts');
    await printLedger({ databaseUrl: process.env.DATABASE_URL, print });
  });

program
  .command('verify-archive')
  .description('say what a backup’s archive is, and prove that it is whole and as it was written; needs no database')
  .argument('<archive>', 'the archive; beside it must be <archive>.json')
  .option('--database <name>', 'refuse an archive of another database')
  .option('--system-identifier <number>', 'refuse an archive of another server (pg_control_system)')
  .option('--sha256 <hash>', 'refuse an archive with another SHA-256 than the run’s status.runner.backup has')
  .action(async (path: string, expected: { database?: string; systemIdentifier?: string; sha256?: string }) => {
    const { verifyArchive } = await import('./archive-by-hand.ts');
    await verifyArchive({ path, expected, print });
  });

program.parseAsync().catch((error: unknown) => {
  process.stderr.write(`runner: ${redact(messageOf(error))}\n`);
  process.exitCode = 1;
});
