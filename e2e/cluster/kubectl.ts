import { findCluster } from './find.ts';
import { passThrough } from './pass-through.ts';
import { main } from './terminal.ts';

/** `npm run kubectl -- …`: kubectl on the cluster that is in use. */
await main(async () => {
  process.exitCode = await passThrough(await findCluster(), ['kubectl', ...process.argv.slice(2)]);
});
