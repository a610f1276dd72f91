import type { Cluster } from '../cluster/provider.ts';

/** A heading between two parts of the story. */
export function chapter(title: string, ...lines: string[]): void {
  console.log(`\n── ${title} ${'─'.repeat(Math.max(3, 96 - title.length))}`);
  for (const line of lines) console.log(line);
  if (lines.length > 0) console.log('');
}

/** What is put before a kubectl command so that a person in the clone's folder reaches the cluster with it. */
export function typed(cluster: Pick<Cluster, 'provider'>, command: string[]): string {
  const [program, ...args] = command;
  const isOurs = cluster.provider === 'kind' && program === 'kubectl';
  return [...(isOurs ? ['npm run kubectl --'] : [program]), ...args.map(quoted)].join(' ');
}

/** Prints a command as a person can type it, and what it answers, of which `edit` may leave something out. */
export async function show(
  cluster: Cluster,
  command: string[],
  edit: (answer: string) => string = (answer) => answer,
): Promise<void> {
  console.log(`$ ${typed(cluster, command).replaceAll(' --from-file', ' \\\n    --from-file')}`);
  const { stdout } = await cluster.exec(command);
  console.log(edit(stdout));
}

const quoted = (word: string) => (/[\s'"{|*$]/.test(word) ? `'${word.replaceAll("'", `'\\''`)}'` : word);

/** Leaves the spec out of what `kubectl describe` has answered, and says so in its place. */
export function withoutSpec(described: string): string {
  return described.replace(/^Spec:\n[\s\S]*?^(?=Status:)/m, 'Spec:  (left out here: it is the manifest)\n');
}

/** What a message says beyond the sentences that it begins with like the message before it. */
export function newWords(before: string, message: string): string {
  let same = 0;
  while (same < message.length && message[same] === before[same]) same += 1;
  const end = message.slice(0, same).lastIndexOf('. ');
  return end < 0 ? message : message.slice(end + 2);
}

/** @throws Error saying what was expected and found: a demonstration that only looks right is none */
export function expectThat(holds: boolean, sentence: string, found = ''): void {
  if (!holds) throw new Error(`The demonstration went wrong. Expected: ${sentence}.${found ? ` Found: ${found}` : ''}`);
  console.log(`✔ ${sentence}`);
}
