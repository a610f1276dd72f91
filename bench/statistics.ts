/** The middle, the least and the most of some measurements, in the unit of the measurements. */
export interface Summary {
  median: number;
  min: number;
  max: number;
  /** Number of measurements. */
  runs: number;
}

/** @throws Error when there is nothing to summarise: a figure without a measurement must not be reported */
export function summarise(values: readonly number[]): Summary {
  const sorted = [...values].sort((a, b) => a - b);
  const [min, max] = [sorted[0], sorted.at(-1)];
  if (min === undefined || max === undefined) throw new Error('There is no measurement to summarise.');
  const middle = (sorted.length - 1) / 2;
  const median = (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle)]!) / 2;
  return { median, min, max, runs: sorted.length };
}

/** The items in random order (Fisher-Yates), so that no way of several always runs first. */
export function shuffle<Item>(items: readonly Item[], random: () => number = Math.random): Item[] {
  const result = [...items];
  for (let last = result.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [result[last], result[other]] = [result[other]!, result[last]!];
  }
  return result;
}
