import { Command, Option } from 'commander';
import { findCluster } from './find.ts';
import { removeKind } from './kind.ts';
import { openCluster, providerFrom, type ProviderName } from './provider.ts';
import { main, withProgress } from './terminal.ts';

interface Options {
  cluster?: ProviderName;
  yes?: boolean;
}

const program = new Command('npm run cluster --')
  .description('The Kubernetes cluster that the demo and the tests run on')
  .addOption(
    new Option('--cluster <provider>', 'kind, or existing: the current kubeconfig context').choices([
      'kind',
      'existing',
    ]),
  )
  .option('--yes', 'use an existing context that is not on this machine without asking');

/** The flag counts for every part of the command, also for those that read the environment. */
const options = (): Options => {
  const given = program.opts<Options>();
  if (given.cluster) process.env.PHASE_MIGRATION_CLUSTER = given.cluster;
  return given;
};

program
  .command('up')
  .description('bring it up, or repair it; seconds if it is up')
  .action(async () => {
    const { yes } = options();
    const cluster = await withProgress('Cluster', (progress) => openCluster({ progress, yes }));
    console.log(`${cluster.provider} cluster ${cluster.name} is up. Look around with: npm run kubectl -- get pods -A`);
  });

program
  .command('status')
  .description('say which cluster is up')
  .action(async () => {
    options();
    const cluster = await findCluster();
    const nodes = await cluster.exec(['kubectl', 'get', 'nodes', '-o', 'wide']);
    console.log(`${cluster.provider} cluster ${cluster.name}, kubeconfig ${cluster.kubeconfig}`);
    if (cluster.nsenterPrefix.length > 0) console.log(`Commands reach it behind: ${cluster.nsenterPrefix.join(' ')}`);
    console.log(nodes.stdout);
  });

program
  .command('down')
  .description('remove it with everything in it')
  .action(async () => {
    options();
    if (providerFrom(process.env) === 'existing') {
      console.log('An existing cluster is left alone.');
      return;
    }
    await withProgress('Removing the cluster', removeKind);
  });

await main(async () => {
  await program.parseAsync();
});
