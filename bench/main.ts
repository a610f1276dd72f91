import { Command, InvalidArgumentError } from 'commander';
import { main } from '../e2e/cluster/terminal.ts';
import { benchMemory } from './memory/main.ts';
import { benchOutage } from './outage/main.ts';
import { SIZES } from './outage/planner.ts';
import { ways, type WayName } from './outage/ways.ts';

const program = new Command('npm run bench --')
  .description('Measures what the project promises; figures: docs/figures.md.')
  .showHelpAfterError();

program
  .command('outage')
  .description('the outage that a client sees: the operator beside a kubectl script')
  .option('--assignments <list>', `numbers of assignments: ${SIZES.join(', ')}`, sizes, SIZES)
  .option('--runs <number>', 'runs of each way for each number', count, 5)
  .option('--ways <list>', `ways to measure: ${Object.keys(ways).join(', ')}`, wayNames, Object.keys(ways) as WayName[])
  .option('--keep', 'leave the planner in the cluster afterwards', false)
  .action((options: { assignments: number[]; runs: number; ways: WayName[]; keep: boolean }) =>
    benchOutage({ ...options, sizes: options.assignments }),
  );

program
  .command('memory')
  .description('what the operator takes with many PhaseMigrations')
  .option('--migrations <number>', 'PhaseMigrations', count, 1000)
  .option('--runs <number>', 'processes to measure', count, 5)
  .action((options: { migrations: number; runs: number }) => benchMemory(options));

await main(async () => {
  await program.parseAsync();
});

function sizes(text: string): number[] {
  return text.split(',').map((part) => {
    const size = Number(part.replaceAll('_', ''));
    if (!SIZES.includes(size)) throw new InvalidArgumentError(`There is seed data for ${SIZES.join(' and ')} only.`);
    return size;
  });
}

function count(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('It must be a whole number from 1.');
  return value;
}

function wayNames(text: string): WayName[] {
  return text.split(',').map((name) => {
    if (!Object.hasOwn(ways, name)) throw new InvalidArgumentError(`Choose from ${Object.keys(ways).join(', ')}.`);
    return name as WayName;
  });
}
