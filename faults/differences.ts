import { isDeepStrictEqual } from 'node:util';

/** Where two end states differ, one line each; empty: nowhere. */
export function differences(wanted: unknown, found: unknown, path = ''): string[] {
  if (isDeepStrictEqual(wanted, found)) return [];
  // One more or one less must not make all that follow it look different.
  if (Array.isArray(wanted) && Array.isArray(found) && wanted.length !== found.length)
    return [
      ...without(wanted, found).map((item) => `${path} lacks ${JSON.stringify(item)}`),
      ...without(found, wanted).map((item) => `${path} has ${JSON.stringify(item)} too much`),
    ];
  if (isTree(wanted) && isTree(found) && Array.isArray(wanted) === Array.isArray(found)) {
    const keys = [...new Set([...Object.keys(wanted), ...Object.keys(found)])];
    return keys.flatMap((key) => differences(wanted[key], found[key], path ? `${path}.${key}` : key));
  }
  return [`${path} is ${JSON.stringify(found)} instead of ${JSON.stringify(wanted)}`];
}

function without(items: unknown[], others: unknown[]): unknown[] {
  const left = others.map((item) => JSON.stringify(item));
  return items.filter((item) => {
    const place = left.indexOf(JSON.stringify(item));
    if (place >= 0) left.splice(place, 1);
    return place < 0;
  });
}

function isTree(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
