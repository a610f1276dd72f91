import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

/** Makes a folder for the results of one run of a benchmark, named after it and the time. Not in version control. */
export async function resultsFolder(name: string): Promise<string> {
  const time = new Date().toISOString().slice(0, 19).replaceAll(':', '');
  const folder = join(import.meta.dirname, 'results', `${name}-${time}`);
  await mkdir(folder, { recursive: true });
  return folder;
}
