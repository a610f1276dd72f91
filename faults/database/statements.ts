/** So many words tell most statements of the runner apart, and stay the same when the rest of them is changed. */
const WORDS = 4;

/**
 * What a statement is to the sweep: its first words without what differs from run to run (names, values), so that the
 * same one is found again in another run: `ALTER-DATABASE-RENAME-TO`.
 */
export function nameOfStatement(text: string): string {
  const plain = text
    // In one go: in a quoted name two dashes are no comment.
    .replace(/--[^\n]*|"(?:[^"]|"")*"|'(?:[^']|'')*'/g, ' ')
    .replaceAll('pg_catalog.', '');
  const words = plain.match(/[A-Za-z_][\w.]*|\d+/g) ?? [];
  return words.slice(0, WORDS).join('-') || 'empty';
}

/** Numbers what has one name: `COMMIT.2` is the second of them. */
export class Counter {
  readonly #counts = new Map<string, number>();

  next(name: string): string {
    const number = this.count(name) + 1;
    this.#counts.set(name, number);
    return `${name}.${number}`;
  }

  count(name: string): number {
    return this.#counts.get(name) ?? 0;
  }
}
