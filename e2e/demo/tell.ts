import type { Cluster } from '../cluster/provider.ts';

/** A heading between two parts of the story. */
export function chapter(title: string, ...lines: string[]): void {
  console.log(`\n── ${title} ${'─'.repeat(Math.max(3, 96 - title.length))}`);
  for (const line of lines) console.log(line);
  if (lines.length > 0) console.log('');
}

/** Prints a command as a person would type it, and what it answers. */
export async function show(cluster: Cluster, command: string[]): Promise<string> {
  console.log(
    `$ ${command.map((word) => (/[\s'"{]/.test(word) ? `'${word.replaceAll("'", `'\\''`)}'` : word)).join(' ')}`,
  );
  const { stdout } = await cluster.exec(command);
  console.log(stdout);
  return stdout;
}

/** @throws Error saying what was expected and found: a demonstration that only looks right is none */
export function expectThat(holds: boolean, sentence: string, found = ''): void {
  if (!holds) throw new Error(`The demonstration went wrong. Expected: ${sentence}.${found ? ` Found: ${found}` : ''}`);
  console.log(`✔ ${sentence}`);
}
