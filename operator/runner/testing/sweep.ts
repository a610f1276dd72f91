const AT_ONCE = 3;

/**
 * Tries every place from 1 on (or every so manieth), several at a time, until one says that a run does not get that far.
 *
 * @returns how many places there are at least
 */
export async function sweep(isReached: (place: number) => Promise<boolean>, stride = 1): Promise<number> {
  let next = 1;
  let end = Infinity;
  const work = async () => {
    while (next < end) {
      const place = next;
      next += stride;
      if (!(await isReached(place))) end = Math.min(end, place);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return end - stride;
}
