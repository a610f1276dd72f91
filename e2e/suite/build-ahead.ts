import { constants, setPriority } from 'node:os';
import { stages } from './stages.ts';

/**
 * The program that builds what stages need before their turn comes: `build-ahead.ts STAGE…`, in this order, at the
 * lowest priority, so that tests that run meanwhile hardly notice. What fails is told by the stage itself, which tries
 * it again.
 */

setPriority(constants.priority.PRIORITY_LOW);
// Through `exit`, so that a compiler that this has started ends too.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(1));

for (const name of process.argv.slice(2))
  await stages.find((stage) => stage.name === name)?.build?.((line) => console.log(line));
