import { findCluster } from './find.ts';
import { planner } from './names.ts';
import { passThrough } from './pass-through.ts';
import { main } from './terminal.ts';

/** `npm run psql -- …`: psql on the planner's database, as superuser. */
await main(async () => {
  const { namespace, database } = planner;
  const input = process.stdin.isTTY && process.stdout.isTTY ? '-it' : '-i';
  const inPod = ['kubectl', 'exec', '--quiet', input, `--namespace=${namespace}`, database.workload, '--'];
  process.exitCode = await passThrough(await findCluster(), [...inPod, ...database.psql, ...process.argv.slice(2)]);
});
