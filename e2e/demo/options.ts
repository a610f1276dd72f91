import { Command, Option } from 'commander';
import type { ProviderName } from '../cluster/provider.ts';

export interface DemoOptions {
  provider?: ProviderName;
  yes?: boolean;
}

/** Reads the command line; prints help or what is wrong with it, and ends the process, where there is no more to do. */
export function parseOptions(args: string[]): DemoOptions {
  const command = new Command('npm run demo --')
    .description(
      'Shows the PhaseMigration operator at work: a migration, one that fails, a rollback, and forward again.',
    )
    .addOption(new Option('--cluster <provider>', 'the cluster to use').choices(['kind', 'existing']))
    .option('--yes', 'use an existing context that is not on this machine without asking')
    .parse(args, { from: 'user' });
  const { cluster, yes } = command.opts<{ cluster?: ProviderName; yes?: boolean }>();
  return { ...(cluster ? { provider: cluster } : {}), ...(yes ? { yes } : {}) };
}
